import sys

import numpy as np
import signalbox

POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)

if sys.argv[1:] == ["publish"]:
    with signalbox.Publisher("robot/pose", POSE) as poses:
        for seq, line in enumerate(sys.stdin):  # type x y z and Enter
            with poses.loan() as loan:  # memory that every subscriber will read
                loan.data["seq"] = seq
                loan.data["xyz"] = [float(word) for word in line.split()]
else:
    with signalbox.Subscriber("robot/pose", POSE) as poses:
        for sample in poses:  # asleep until there is one; Ctrl-C works
            print(sample.data["seq"], sample.data["xyz"], flush=True)
