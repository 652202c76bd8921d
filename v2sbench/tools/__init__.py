"""Beside the flow: what no stage of the pipeline runs, and so no stage depends on.

    fetch, transfer    publisher -> a corpus' folder: downloads that go on where they were cut, unpacked without harm
    doctor             a corpus' folder -> what is missing or broken (doctor_media: one file, doctor_machine: no corpus)
    contact_sheet      prepared clips -> one picture in which a person sees whether the crops are mouths
    sweep              sweeps/NAME.yaml -> one thing varied, a copy of the project a point (sweep_report: its table)
    cost               a card -> parameters and multiply-adds per second of speech

Each tool is one file to begin in, imported on its own: `from v2sbench.tools.fetch import fetch`. This face imports none
of them, since one needs PyTorch, another PyAV, and the doctor must run where these are broken.
"""
