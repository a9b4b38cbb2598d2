; SPDX-License-Identifier: MIT OR Apache-2.0
; The shortest message there is: what remains of its time is the cost of starting and ending one.

STOP                    ; []  success, no output
