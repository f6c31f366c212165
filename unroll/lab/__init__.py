"""`unroll lab check`: is a student's program what document 003's specification asks for, and if not, what is wrong?"""
