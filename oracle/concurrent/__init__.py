"""Recordings in which operations overlap: whether some order of these conforms (linearizability).

`recording` reads them, `touches` says what each operation is about, `parts` divides a recording into parts that can be
decided apart, `search` looks for a legal order of one, `hints` and `copies` help it, `windows` shows that there is
none, and `decide` puts all this together.
"""
