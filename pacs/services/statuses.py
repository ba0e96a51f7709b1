"""C-STORE statuses (PS3.4 B.2.3, PS3.7 C) the archive answers with."""

from typing import Final

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
# In the range "Cannot understand", whose last three digits are the implementer's.
UID_CONFLICT: Final = 0xC111
PATIENT_CONFLICT: Final = 0xC112
