//! Writes the lines of a trace (docs/trace.md) through any function of a byte, before there is a heap: `core` is enough.
//!
//!     Line::event(serial_write, "frame.allocate").number("result", address).end();
//!
//! Write a line under the lock under which the operation took effect. An empty key is none, as inside a list;
//! `.open("tables", b'[')` begins a list or an object, `.close(b']')` ends it.

#[must_use = "a line needs its end()"]
pub struct Line<P: FnMut(u8)> {
    put: P,
    first: bool, // the next value is the first of its object or list
}

#[allow(dead_code)] // a kernel may need only some of these
impl<P: FnMut(u8)> Line<P> {
    pub fn header(put: P) -> Self { Line { put, first: false }.raw("{\"memoracle\":1") }
    pub fn event(put: P, op: &str) -> Self { Line { put, first: true }.raw("{").text("op", op) }
    pub fn text(self, key: &str, text: &str) -> Self { self.key(key).quoted(text) }
    pub fn flag(self, key: &str, flag: bool) -> Self { self.key(key).raw(if flag { "true" } else { "false" }) }
    pub fn null(self, key: &str) -> Self { self.key(key).raw("null") }
    pub fn number(self, key: &str, number: u64) -> Self { self.key(key).raw("\"0x").hex(number, 1).raw("\"") }
    pub fn end(self) { let _ = self.raw("}\n"); }

    pub fn open(mut self, key: &str, bracket: u8) -> Self {
        self = self.key(key);
        (self.put)(bracket);
        Line { first: true, ..self }
    }

    pub fn close(mut self, bracket: u8) -> Self {
        (self.put)(bracket);
        Line { first: false, ..self }
    }

    fn key(self, key: &str) -> Self {
        let line = if self.first { self } else { self.raw(",") };
        let line = Line { first: false, ..line };
        if key.is_empty() { line } else { line.quoted(key).raw(":") }
    }

    fn quoted(mut self, text: &str) -> Self {
        (self.put)(b'"');
        for byte in text.bytes() {
            match byte {
                0..=0x1f | b'"' | b'\\' => self = self.raw("\\u").hex(byte.into(), 4),
                _ => (self.put)(byte),
            }
        }
        self.raw("\"")
    }

    fn hex(mut self, number: u64, digits: u32) -> Self {
        for at in (0..16).rev() {
            if at < digits || number >> (4 * at) != 0 {
                (self.put)(b"0123456789abcdef"[(number >> (4 * at) & 15) as usize]);
            }
        }
        self
    }

    fn raw(mut self, text: &str) -> Self {
        text.bytes().for_each(&mut self.put);
        self
    }
}
