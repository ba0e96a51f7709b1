"""Transfer syntaxes the archive takes (PS3.5 A), by whatever entry.

Deflated Explicit VR Little Endian is not among them: 0.5 MB of it can inflate to a gigabyte.
"""

from typing import Final

from pydicom import uid

UNCOMPRESSED: Final = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)
COMPRESSED: Final = (
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.JPEG2000MCLossless,
    uid.JPEG2000MC,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
VIDEO: Final = (
    uid.MPEG2MPML,
    uid.MPEG2MPHL,
    uid.MPEG4HP41,
    uid.MPEG4HP41BD,
    uid.MPEG4HP422D,
    uid.MPEG4HP423D,
    uid.MPEG4HP42STEREO,
    uid.HEVCMP51,
    uid.HEVCM10P51,
)
ACCEPTED: Final = frozenset(str(syntax) for syntax in (*UNCOMPRESSED, *COMPRESSED, *VIDEO))
MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"
