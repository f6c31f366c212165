// Trained networks run in the page, and document 003's node learns in it. The page is whole without this.
(() => {
  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    return new Float64Array(new Float32Array(bytes.buffer));
  };
  const digits = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");

  // Where in its element a pointer is, from 0 to 1.
  const share = ({ currentTarget, clientX, clientY }) => {
    const frame = currentTarget.getBoundingClientRect();
    return [(clientX - frame.left) / frame.width, (clientY - frame.top) / frame.height];
  };
  // A vector knows its gradient, and each operation puts on the tape how it passes its own on to what it was made of:
  // run backward, the tape is backpropagation.
  let tape = [];
  const made = (value, pass) => {
    const one = { value, grad: new Float64Array(value.length) };
    tape.push(() => pass(one.grad, one.value));
    return one;
  };
  const times = (x, matrix, bias) => {
    const [sums, width] = [new Float64Array(bias), bias.length];
    for (let row = 0, at = 0; row < x.value.length; row++) {
      for (let k = 0; k < width; k++) sums[k] += x.value[row] * matrix[at++];
    }
    return made(sums, (grad) => {
      for (let row = 0, at = 0; row < x.grad.length; row++) {
        for (let k = 0; k < width; k++) x.grad[row] += grad[k] * matrix[at++];
      }
    });
  };
  // Element by element; `slopes` gives those by each of `from`, of the value found and of what it is made of.
  const map = (value, slopes, ...from) => {
    const [a, b = a, c = a] = from.map((one) => one.value);
    return made(a.map((x, k) => value(x, b[k], c[k])), (grad, found) => {
      for (let k = 0; k < grad.length; k++) {
        const each = slopes(found[k], a[k], b[k], c[k]);
        for (let place = 0; place < from.length; place++) from[place].grad[k] += grad[k] * each[place];
      }
    });
  };
  const add = (a, b) => map((x, y) => x + y, () => [1, 1], a, b);
  const product = (a, b) => map((x, y) => x * y, (_, x, y) => [y, x], a, b);
  const mixed = (share, a, b) => map((s, x, y) => s * x + (1 - s) * y, (_, s, x, y) => [x - y, s, 1 - s], share, a, b);
  const tanh = (a) => map(Math.tanh, (found) => [1 - found * found], a);
  const sigmoid = (a) => map((x) => 1 / (1 + Math.exp(-x)), (found) => [found * (1 - found)], a);
  const gate = (a, place, units) =>
    made(a.value.slice(place * units, (place + 1) * units), (grad) => {
      for (let k = 0; k < units; k++) a.grad[place * units + k] += grad[k];
    });

  // One timestep of Keras' cells.
  const sums = (layer, x, state) => add(times(x, layer.kernel, layer.bias), times(state, layer.recurrent, layer.none));
  const CELLS = {
    simple_rnn: (layer, x, { states }) => ({ states: tanh(sums(layer, x, states)) }),
    gru: ({ kernel, recurrent, bias, units }, x, { states }) => {
      const width = 3 * units;
      const ofInput = times(x, kernel, bias.subarray(0, width));
      const ofState = times(states, recurrent, bias.subarray(width));
      const [update, reset] = [0, 1].map((k) => sigmoid(add(gate(ofInput, k, units), gate(ofState, k, units))));
      const candidate = tanh(add(gate(ofInput, 2, units), product(reset, gate(ofState, 2, units))));
      return { states: mixed(update, states, candidate), update, reset, candidate };
    },
    lstm: (layer, x, old) => {
      const all = sums(layer, x, old.states);
      const [input, forget, output] = [0, 1, 3].map((k) => sigmoid(gate(all, k, layer.units)));
      const cells = add(product(forget, old.cells), product(input, tanh(gate(all, 2, layer.units))));
      return { states: product(output, tanh(cells)), cells, input, forget, output };
    },
  };

  const build = ({ cell, classify, shapes, words }, text) => {
    const [all, arrays] = [floats(text), []];
    let at = 0;
    for (const shape of shapes) arrays.push(all.subarray(at, (at += shape.reduce((a, b) => a * b))));
    const embedding = words.length ? arrays.shift() : null;
    const [kernel, bias] = arrays.splice(-2);
    const layers = [];
    while (arrays.length) {
      const [ofInput, recurrent, ofBoth] = arrays.splice(0, 3);
      const [units, wide] = shapes[(embedding ? 2 : 1) + 3 * layers.length];
      layers.push({ kernel: ofInput, recurrent, bias: ofBoth, none: new Float64Array(wide), units });
    }
    return { step: CELLS[cell], classify, embedding, width: shapes[embedding ? 1 : 0][0], layers, kernel, bias };
  };
  // What each layer has at each timestep, what the head says there, and how strongly the last answer depends on each
  // input: the norm of the gradient of the last output.
  const run = ({ step, layers, kernel, bias, classify }, inputs) => {
    tape = [];
    const given = inputs.map((value) => made(value, () => {}));
    let values = given;
    const traces = layers.map((layer) => {
      const zero = made(new Float64Array(layer.units), () => {});
      let old = { states: zero, cells: zero };
      const steps = values.map((x) => (old = step(layer, x, old)));
      values = steps.map(({ states }) => states);
      return steps;
    });
    const outputs = values.map((state) => times(state, kernel, bias)).map((one) => (classify ? sigmoid(one) : one));
    outputs.at(-1).grad[bias.length - 1] = 1;
    tape.reverse().forEach((pass) => pass());
    return { traces, outputs: outputs.map(({ value }) => [...value]), felt: given.map(({ grad }) => Math.hypot(...grad)) };
  };

  const line = (values, low, high, look) => {
    const points = values.map((value, x) => `${x + 0.5},${(100 * (high - value)) / (high - low || 1)}`);
    return `<path class="${look}" d="M${points.join("L")}"/>`;
  };
  // Round numbers from low to high, where they lie in per cent, and in words.
  const ticks = (low, high, words = digits) => {
    const power = 10 ** Math.floor(Math.log10((high - low) / 2 || 1));
    const step = [5, 2, 1].map((times) => times * power).find((size) => size <= (high - low) / 2) ?? power;
    const [from, to] = [Math.ceil(low / step), Math.floor(high / step)];
    const values = Array.from({ length: to - from + 1 }, (_, place) => (from + place) * step);
    return values.map((value) => [(100 * (value - low)) / (high - low || 1), words(value)]);
  };
  // Number the sides of what is drawn: its steps, each as wide as the others, and what goes up.
  const number = (drawn, count, up) => {
    const marks = (side, all) => all.map(([at, words]) => `<i style="${side}:${at}%">${words}</i>`).join("");
    const across = ticks(0.5, count + 0.5, (step) => (Number.isInteger(step) && step ? step : ""));
    drawn.parentElement.querySelector(".ticks.y").innerHTML = marks("bottom", up);
    drawn.parentElement.querySelector(".ticks.x").innerHTML = marks("left", across);
  };
  const fit = (svg, count, paths, up) => {
    svg.setAttribute("viewBox", `0 0 ${count} 100`);
    svg.innerHTML = paths.join("");
    number(svg, count, up);
  };
  const ends = (values, margin = 0.08) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low - margin * (high - low), high + margin * (high - low)];
  };
  // A cell for each value from -1 (orange) to 1 (blue); canvas needs the style sheet's colours told.
  const paint = (canvas, width, height, value) => {
    const [pen, style] = [canvas.getContext("2d"), getComputedStyle(canvas)];
    Object.assign(canvas, { width, height });
    for (let at = 0; at < width * height; at++) {
      const [x, y] = [at % width, Math.floor(at / width)];
      pen.fillStyle = style.getPropertyValue(value(x, y) < 0 ? "--below" : "--main");
      pen.globalAlpha = Math.abs(value(x, y));
      pen.fillRect(x, y, 1, 1);
    }
  };

  const play = (box, find) => {
    const about = JSON.parse(box.dataset.network);
    const networks = about.weights.map((weights) => build(about, weights));
    const { layers, width, embedding } = networks[0];
    const [by, plus, unit] = about.classify ? [100, 0, "%"] : [about.std, about.mean, about.unit];
    const told = (value) => `${digits(value * by + plus)} ${unit}`.trim();
    const scale = ([low, high]) => ticks(low * by + plus, high * by + plus);
    const [word, shown] = [([row]) => about.words[row] || "▸", (row) => row[about.column]];
    // Its timesteps, of which the padding in front of a text is run and not shown; what the networks make of them.
    let example, rows, first, bounds, found;

    const pick = () => {
      example = find("example").value;
      const [values, size] = [floats(about.inputs[example]), embedding ? 1 : width];
      rows = Array.from({ length: values.length / size }, (_, row) => values.subarray(row * size, (row + 1) * size));
      first = embedding && !about.words[0] ? rows.findIndex(([row]) => row) : 0;
      bounds = embedding ? [0, about.words.length] : ends(rows.map(shown));
      find("step").value = find("step").max = rows.length - first;
      Object.assign(find("value"), { min: bounds[0], max: bounds[1], step: (bounds[1] - bounds[0]) / 200 });
      answer();
    };
    const answer = () => {
      found = networks.map((network) => {
        const vector = ([row]) => network.embedding.subarray(row * width, (row + 1) * width);
        const { traces, outputs, felt } = run(network, embedding ? rows.map(vector) : rows);
        return { traces: traces.map((one) => one.slice(first)), outputs: outputs.slice(first), felt: felt.slice(first) };
      });
      // What the cell has, once it is known.
      const keys = found[0].traces.flatMap(([one], place) => Object.keys(one).map((key) => [place, key]));
      for (const [place, key] of find("view").length ? [] : keys) {
        find("view").add(new Option(layers[1] ? `${key}, layer ${place + 1}` : key, `${place} ${key}`));
      }
      draw();
    };
    const draw = () => {
      const [seed, step] = [Number(find("seed").value), Number(find("step").value) - 1];
      const { traces, felt } = found[seed];
      const lines = (all, low, high) =>
        [...all, all[seed]].map((one, place) => line(one, low, high, place < all.length ? "others" : "chosen"));
      if (embedding) {
        find("review").innerHTML = "<span></span> ".repeat(felt.length);
        [...find("review").children].forEach((span, place) => {
          span.textContent = word(rows[first + place]);
          span.className = place === step ? "at" : "";
          span.style.setProperty("--felt", felt[place] / Math.max(...felt));
        });
      } else {
        find("value").value = shown(rows[step]);
        fit(find("input"), rows.length, [line(rows.map(shown), ...bounds, "given")], scale(bounds));
      }
      const vector = found[0].outputs[0].length > 1;
      const answers = found.map(({ outputs }) => (vector ? outputs.at(-1) : outputs.flat()));
      const truth = answers[0].map((_, place) => about.truth[example][place] ?? about.truth[example][0]);
      const range = about.classify ? [0, 1] : ends([...answers.flat(), ...truth]);
      fit(find("output"), truth.length, [line(truth, ...range, "truth"), ...lines(answers, ...range)], scale(range));
      const [layer, key] = find("view").value.split(" ");
      const most = Math.max(1, ...traces[layer].flatMap((one) => [...one[key].value.map(Math.abs)]));
      paint(find("heat"), felt.length, layers[layer].units, (x, y) => traces[layer][x][key].value[y] / most);
      number(find("heat"), felt.length, [[100, 1], [0, layers[layer].units]]);
      find("most").textContent = `blue: up to ${digits(most)}, orange: down to ${digits(-most)}`;
      const peak = Math.max(...found.flatMap((one) => one.felt));
      const powers = found.map((one) => one.felt.map((slope) => Math.max(-4, Math.log10(slope / peak))));
      fit(find("felt"), felt.length, lines(powers, -4, 0.1), ticks(-4, 0.1, (power) => 10 ** power));

      const between = truth.map((_, place) => ends(answers.map((one) => one[place]), 0));
      const apart = between.map(([low, high]) => high - low);
      find("says").textContent =
        `${vector ? "Of the last value" : "At the end"} seed ${about.seeds[seed]} says ${told(answers[seed].at(-1))} ` +
        `(Keras, of the example as it was: ${told(about.predicted[example][seed].at(-1))}); the truth is ${told(truth.at(-1))}.` +
        (networks[1] ? ` All seeds: ${between.at(-1).map(told).join(" to ")}; furthest apart at ${vector ? "value" : "step"} ${apart.indexOf(Math.max(...apart)) + 1}.` : "");
      const there = embedding ? word(rows[first + step]) : told(shown(rows[step]));
      const then = vector ? "" : `; answer ${told(answers[seed][step])}`;
      if (embedding) {
        const [now, before, rare] = [rows[first + step][0], asItWas(first + step), about.words.indexOf("…")];
        find("rare").disabled = before === rare;
        find("rare").textContent = now === before ? "hide this word (…)" : "show this word again";
      }
      find("where").textContent = `step ${step + 1} of ${felt.length}: ${there}${then}`;
      find("tracks").style.setProperty("--at", `${(100 * (step + 0.5)) / felt.length}%`);
      box.found = found;
    };
    const asItWas = (step) => floats(about.inputs[example])[step];
    const change = (step, value) => {
      rows[step][about.column] = Math.min(bounds[1], Math.max(bounds[0], value));
      find("step").value = step + 1 - first;
      answer();
    };
    find("example").addEventListener("input", pick);
    find("again").addEventListener("click", pick);
    for (const name of ["seed", "view", "step"]) find(name).addEventListener("input", draw);
    find("value").addEventListener("input", ({ target }) => change(Number(find("step").value) - 1, Number(target.value)));
    find("rare").addEventListener("click", () => {
      const step = first + Number(find("step").value) - 1;
      const before = asItWas(step);
      change(step, rows[step][0] === before ? about.words.indexOf("…") : before);
    });
    find("review").addEventListener("click", ({ target }) => {
      find("step").value = [...find("review").children].indexOf(target) + 1 || find("step").value;
      draw();
    });
    for (const name of ["pointerdown", "pointermove"]) {
      find("input").addEventListener(name, (event) => {
        const [x, y] = share(event);
        const step = Math.floor(x * rows.length);
        if (event.buttons && rows[step]) change(step, bounds[1] - y * (bounds[1] - bounds[0]));
      });
    }
    pick();
    return draw;
  };

  // Document 003's series by its formula; the random numbers are the same each time.
  const waves = () => {
    let seed = 3;
    const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    return Array.from({ length: 100 }, () => {
      const [slow, fast, one, other] = [random(), random(), random(), random()];
      return Array.from({ length: 51 }, (_, step) => {
        const wave = 0.5 * Math.sin((step / 50 - one) * (slow * 10 + 10));
        return wave + 0.2 * Math.sin((step / 50 - other) * (fast * 20 + 20)) + 0.1 * (random() - 0.5);
      });
    });
  };
  const states = ([ofInput, ofStep, bias], values) => {
    const found = [0];
    for (const value of values.slice(0, -1)) found.push(Math.tanh(ofInput * value + ofStep * found.at(-1) + bias));
    return found;
  };
  const mse = (weights, series) =>
    series.reduce((sum, values) => sum + (values.at(-1) - states(weights, values).at(-1)) ** 2, 0) / series.length;
  // One pass of the assignment's rule: the deltas go back through the steps, and each series changes the weights.
  const pass = (weights, series, rate) => {
    for (const values of series) {
      const found = states(weights, values);
      let delta = values.at(-1) - found.at(-1);
      const sums = [0, 0, 0];
      for (let step = values.length - 1; step > 0; step--) {
        delta *= 1 - found[step] ** 2;
        [values[step - 1], found[step - 1], 1].forEach((factor, place) => (sums[place] += delta * factor));
        delta *= weights[1];
      }
      sums.forEach((sum, place) => (weights[place] += rate * sum));
    }
  };

  // A map from -1 to 3 and from -1.5 to 1.5, in cells of a twelfth; its drawing has 100 to 1.
  const [WIDE, HIGH, PASSES] = [48, 36, 200];
  const learn = (box, find) => {
    const series = waves();
    const naive = series.reduce((sum, values) => sum + (values[50] - values[49]) ** 2, 0) / series.length;
    const grid = Array.from({ length: WIDE * HIGH }, (_, at) => {
      return Math.log(mse([((at % WIDE) + 0.5) / 12 - 1, 1.5 - (Math.floor(at / WIDE) + 0.5) / 12, 0], series));
    });
    const [low, high] = ends(grid, 0);
    const [least, most] = [low, high].map((power) => digits(Math.exp(power)));
    find("scale").textContent = `MSE, log scale: ${least} (blue) to ${most} (white)`;
    const place = ([x, y]) => [100 * (x + 1), 100 * (1.5 - y)];
    const dot = (look, at) => `<circle class="${look}" cx="${place(at)[0]}" cy="${place(at)[1]}" r="5"/>`;
    let weights, path, frame;
    const draw = () => {
      paint(find("surface"), WIDE, HIGH, (x, y) => (high - grid[y * WIDE + x]) / (high - low));
      const [way, ended] = [path.map(place).join("L"), JSON.parse(box.dataset.nodes)];
      const lines = ["halo", "way"].map((look) => `<path class="${look}" d="M${way}"/>`);
      find("path").innerHTML = [...ended.map((one) => dot("ended", one)), ...lines, dot("begun", path[0]), dot("now", weights)].join("");
      const [ofInput, ofStep, bias, error] = [...weights, mse(weights, series)].map(digits);
      find("says").textContent =
        `After ${path.length - 1} epochs: weight of the input ${ofInput}, weight of the step before ${ofStep}, bias ${bias}. ` +
        `The MSE is ${error}. The last value as the guess has ${digits(naive)}.`;
      find("train").textContent = frame ? "stop" : "train";
      for (const name of ["across", "up", "rate"]) find(name).nextElementSibling.textContent = digits(value(name));
    };
    const value = (name) => (name === "rate" ? 10 ** find(name).value : Number(find(name).value));
    const begin = () => {
      frame = cancelAnimationFrame(frame);
      weights = [value("across"), value("up"), 0];
      path = [[...weights]];
      draw();
    };
    const turn = () => {
      do {
        pass(weights, series, value("rate"));
        path.push([...weights]);
      } while (path.length <= PASSES && matchMedia("(prefers-reduced-motion: reduce)").matches);
      frame = path.length <= PASSES && requestAnimationFrame(turn);
      draw();
    };
    for (const name of ["across", "up"]) find(name).addEventListener("input", begin);
    find("rate").addEventListener("input", draw);
    find("again").addEventListener("click", begin);
    find("train").addEventListener("click", () => {
      if (frame) return draw((frame = cancelAnimationFrame(frame)));
      if (path.length > PASSES) begin();
      turn();
    });
    find("path").addEventListener("click", (event) => {
      const [x, y] = share(event);
      [find("across").value, find("up").value] = [4 * x - 1, 1.5 - 3 * y];
      begin();
    });
    begin();
    box.learned = () => ({ series, path });
    return draw;
  };

  for (const box of document.querySelectorAll(".play")) {
    box.hidden = false;
    box.addEventListener("toggle", () => {
      const draw = (box.dataset.nodes ? learn : play)(box, (name) => box.querySelector(`.${name}`));
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    }, { once: true });
  }
})();
