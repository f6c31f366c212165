"""What was found in a file, in words that a reader approved."""

import pandas as pd

FREQUENCIES = (
    "h",
    "10min",
    "W-MON",
    "B",
    "MS",
    "QS",
    "BME",
    "YS",
    "3D",
    "14D",
    "WOM-3FRI",
)
FORMS = (
    *(
        ("MS", count, form)
        for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%m-%d-%y", "%y/%m/%d")
        for count in (13, 96)
    ),
    *(("MS", 12, "%d.%m.%Y"), ("ME", 40, "%Y-%m-%d %H:%M"), ("QS", 12, "%d/%m/%Y")),
    *(("YS", 20, "%d/%m/%Y"), ("W", 30, "%m/%d/%Y"), ("B", 40, "%d/%m/%Y")),
    *(("D", 21, "%Y-%m-%d"), ("28D", 30, "%Y-%m-%d"), ("h", 30, "%m/%d/%Y %I:%M %p")),
    ("s", 99, "%Y%m%d%H%M%S"),
)
"""Distances of rows, how many there are, and how their timestamps are written."""

BEGINS = {"QS": "2000", "YS": "1960"}
"""Distance of rows -> the year of the first, if most would lie in the future else."""

MINUTES = "%Y-%m-%d %H:%M"
DAYS = pd.date_range("2020-01-01", periods=40).strftime("%Y-%m-%d").tolist()


def text(stamps):
    """A file of some timestamps."""
    cells = [f"{stamp},{row * row % 23}" for row, stamp in enumerate(stamps)]
    return "\n".join(["time,load", *cells])


def opening(hours, closed):
    """Rows in some hours of the day but for one day of the week."""
    stamps = pd.date_range("2023-01-02", periods=24 * 7 * 30, freq="h")
    is_open = stamps.hour.isin(hours) & (stamps.day_of_week != closed)
    return stamps[is_open].strftime(MINUTES).tolist()


def clock(zone, end):
    """Two springs of hours on a clock; of two more rows each nothing is known."""
    hours = pd.date_range("2022-03-01", end, freq="h", tz=zone).tz_localize(None)
    return hours.drop_duplicates().delete([40, 41, 4000])


ROWS = [f"2020-01-{day:02},{day * day % 23}" for day in range(1, 31)]
WORDS = ["n/a,0,n/a", ",2,", *(f"{day},{2 * day},{day}" for day in range(2, 38))]
FILES = {
    **{
        freq: text(
            pd.date_range(BEGINS.get(freq, "2020"), periods=60, freq=freq).strftime(
                MINUTES
            )
        )
        for freq in FREQUENCIES
    },
    "days but Sundays": text(opening([0], 6)),
    "a shop": text(opening([9, 10, 11], 6)),
    "closed on Tuesday": text(opening([9, 10, 11], 1)),
    "one row outside": text(["2023-01-02 20:00", *opening([9, 10, 11], 0)]),
    "Paris": text(clock("Europe/Paris", "2023-04-30")),
    "Chicago": text(clock("America/Chicago", "2023-04-30")),
    "one spring alone": text(clock("Europe/Paris", "2023-03-01")),
    "UTC": text(clock("UTC", "2023-04-30")),
    **{
        f"a clock of {zone}{' by its ends' if ends else ''}": text(
            pd.date_range("2023-03-01", "2023-11-10", freq="h", tz=zone).tz_localize(
                None
            )
            # of the hour's end, on the clock of its beginning
            + pd.Timedelta(hours=int(ends))
        )
        for zone, ends in (
            ("Europe/Berlin", False),
            ("Europe/Berlin", True),
            ("UTC", False),
        )
    },
    **{
        f"{count} rows by {freq} as {form}": text(
            pd.date_range("2015-02-03", periods=count, freq=freq).strftime(form)
        )
        for freq, count, form in FORMS
    },
    "ten minutes in two columns": "\n".join(
        [
            "d;t;x",
            *(
                f"{stamp:%d.%m.%Y;%H.%M.%S};{stamp.minute * stamp.hour}"
                for stamp in pd.date_range("2015-01-01", periods=999, freq="10min")
            ),
        ]
    ),
    "a time of day of each day": "\n".join(
        [
            "day,Session Duration,visitors",
            *(
                f"{day},00:{row * 7 % 60:02}:{row * row % 60:02},{row % 9}"
                for row, day in enumerate(DAYS)
            ),
        ]
    ),
    "two times a day": "\n".join(
        [
            "day,hour,visitors",
            *(
                f"{day},{hour}:00,{row % 9}"
                for row, day in enumerate(DAYS)
                for hour in ("06", "18")
            ),
        ]
    ),
    "a row of units": "\n".join(
        [
            "time;load;temp",
            ";[kW];°C",
            *(f"{day};{row * row % 23};{row % 9},5" for row, day in enumerate(DAYS)),
        ]
    ),
    "a count alone": "\n".join(
        ["time,count", *(f"{day},{row}" for row, day in enumerate(DAYS))]
    ),
    "rows that are repeated": "\n".join(["time,load", *ROWS, *ROWS[20:23]]),
    "no value": "\n".join(
        [
            "day,load,wind,rain",
            *(
                f"{day},{cells}"
                for day, cells in zip(
                    DAYS, [*WORDS, "38,n/a,broken", "39,n/a,39"], strict=True
                )
            ),
        ]
    ),
    "a series that ends early": "\n".join(
        [
            "product,day,sold",
            *(
                f"{name},{day},{row * row % 7}"
                for name, last in (("a", 40), ("b", 12), ("c", 40))
                for row, day in enumerate(DAYS[:last])
            ),
        ]
    ),
    "eight series that end early": "\n".join(
        [
            "product,day,sold",
            *(
                f"{name},{day},{row * row % 7}"
                for number, name in enumerate("abcdefghi")
                for row, day in enumerate(DAYS[: 40 - number])
            ),
        ]
    ),
    "columns of all kinds": "\n".join(
        [
            "time,id,load (kW),wind [m/s],sky,note,empty,same,half,sold €",
            *(
                f"{day},{row},{row * row % 23},{row % 5}.5,{['fair', 'dull'][row % 2]},"
                f"word {row},,7,{row % 9 if row % 2 else ''},{row % 11} €"
                for row, day in enumerate(DAYS)
            ),
        ]
    ),
}


def test_what_is_told_of_a_file_is_as_approved(seen, told, file_regression):
    lines = [told(name, seen(text)) for name, text in FILES.items()]
    lines.append(told("UTF-16", seen(FILES["a row of units"], "utf-16")))
    file_regression.check("\n".join(lines))
