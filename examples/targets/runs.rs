//! Runs of frames, first fit, in Rust. What is wrong with it is chosen as a cfg:
//! `rustc --crate-type cdylib -O --cfg 'fault="off_by_one_at_the_top"' -o runs.so runs.rs`
#![allow(unexpected_cfgs)]
use std::sync::Mutex;

const FRAMES: usize = 700;

/// Of each frame whether it is in use; frame 0 always is.
static USED: Mutex<[bool; FRAMES + 1]> = Mutex::new([false; FRAMES + 1]);

#[no_mangle]
pub extern "C" fn runs_init() {
    let mut used = USED.lock().unwrap();
    *used = [false; FRAMES + 1];
    used[0] = true;
}

/// The first frame of `count` neighbours at a multiple of `alignment` frames, a power of two, or -1.
#[no_mangle]
pub extern "C" fn runs_allocate(count: usize, alignment: usize) -> i64 {
    let mut used = USED.lock().unwrap();
    let top = if cfg!(fault = "off_by_one_at_the_top") { FRAMES + 1 } else { FRAMES };
    if count == 0 || !alignment.is_power_of_two() || count > FRAMES {
        return -1;
    }
    let mut first = 0;
    while first + count <= top {
        match (first..first + count).rev().find(|&frame| used[frame]) {
            Some(taken) => {
                let after = taken + 1;
                first = if cfg!(fault = "ignores_the_alignment") && count > 8 {
                    after
                } else {
                    after.div_ceil(alignment) * alignment
                };
            }
            None => {
                used[first..first + count].fill(true);
                return first as i64;
            }
        }
    }
    -1
}

/// 0, or -1 if one of these frames is not in use, or is frame 0; then nothing changes.
#[no_mangle]
pub extern "C" fn runs_free(first: usize, count: usize) -> i32 {
    let mut used = USED.lock().unwrap();
    if first == 0 || count == 0 || count > FRAMES || first > FRAMES - count {
        return -1;
    }
    if cfg!(fault = "half_a_free") {
        for frame in first..first + count {
            if !used[frame] {
                return -1;
            }
            used[frame] = false;
        }
        return 0;
    }
    if used[first..first + count].contains(&false) {
        return -1;
    }
    used[first..first + count].fill(false);
    0
}

#[no_mangle]
pub extern "C" fn runs_free_count() -> usize {
    USED.lock().unwrap()[..FRAMES].iter().filter(|&&each| !each).count()
}
