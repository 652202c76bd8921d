"""What is on this disk against what should be there, and what is broken: ``v2sbench doctor``.

    corpus folder --scan--> names --packets--> media --clips--> prepared  ==> Checkup, with findings and an exit code
    this machine                                                          ==> findings

`examine` looks at a corpus (`packets` at one file), `diagnosis` says what it means, `report` is the data, `words` the
same for the eye; `machine` looks at the environment, and imports nothing that may be broken in it.
"""
