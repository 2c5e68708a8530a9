"""A pool of frames as a program that `memoracle drive` can talk to: a call a line, an answer a line."""

import json
import sys

PAGE = 4096
used = set()


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


geometry = json.loads(sys.stdin.readline())["geometry"]  # of the header: that of --geometry
free = list(range(geometry["kernel_image_frames"], geometry["frames"]))
say({"operations": {"frame.allocate": [], "frame.free": ["address"], "frame.free_count": []}})

for line in sys.stdin:
    call = json.loads(line)
    answer = {}
    if call["op"] == "frame.free_count":
        answer["result"] = len(free)
    elif call["op"] == "frame.allocate":
        if free:
            frame = free.pop()
            used.add(frame)
            answer["result"] = frame * PAGE
        else:
            answer["error"] = "no frame is left"
    else:
        frame, rest = divmod(call["address"], PAGE)
        if rest == 0 and frame in used:
            used.remove(frame)
            free.append(frame)
        else:
            answer["error"] = "no such frame is in use"
    say(answer)
