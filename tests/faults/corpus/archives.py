"""Archives that lead out of the folder, lie, or would fill the disk."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from functools import partial

import py7zr

from tests.faults.corpus import Case, file_of

CHIP = b"\xff\xd8\xff\xe0 no picture"
NAME = "train-jpg/train_0.jpg"
MANY = 10**6


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of some members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members:
            with archive.open(name, "w") as member:  # not by `writestr`, which warns of names that occur twice
                member.write(content)
    return file.getvalue()


def tar_of(*members: tuple[str | tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive of some members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def special(kind: bytes, name: str = "train-jpg/link.jpg", target: str = "../../../outside") -> tarfile.TarInfo:
    """Return a link or a device as a member of a tar."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def linked(target: str) -> zipfile.ZipInfo:
    """Return a symbolic link as a member of a zip."""
    member = zipfile.ZipInfo("train-jpg/link.jpg")
    member.external_attr = 0o120777 << 16
    return member


def lying_zip(size: int) -> bytes:
    """Return a zip whose member holds 900 MB, and is said to hold `size`."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = b"".join([*(packer.compress(bytes(10**6)) for _ in range(900)), packer.flush()])
    content = bytearray(zip_of((NAME, b""), how=zipfile.ZIP_STORED))
    head, directory = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    struct.pack_into("<H", content, head + 8, 8)
    struct.pack_into("<II", content, head + 18, len(packed), size)
    struct.pack_into("<H", content, directory + 10, 8)
    struct.pack_into("<II", content, directory + 20, len(packed), size)
    end = content.index(b"PK\5\6")
    struct.pack_into("<I", content, end + 16, directory + len(packed))
    return bytes(content[:directory]) + packed + bytes(content[directory:])


def overlapping(members: int) -> bytes:
    """Return a zip whose members all share one kernel of packed bytes, as zip bombs of one layer do."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(10**7)) + packer.flush()
    crc = zlib.crc32(bytes(10**7))
    name = b"train-jpg/train_%06d.jpg"
    local = (
        struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), 10**7, len(name % 0), 0) + name % 0
    )
    directory = b"".join(
        struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            b"PK\1\2",
            20,
            20,
            0,
            8,
            0,
            0,
            crc,
            len(packed),
            10**7,
            len(name % number),
            0,
            0,
            0,
            0,
            0,
            0,
        )
        + name % number
        for number in range(members)
    )
    start = len(local) + len(packed)
    return (
        local
        + packed
        + directory
        + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, members, members, len(directory), start, 0)
    )


def bomb_of_zips(depth: int) -> bytes:
    """Return zips within zips, ten a layer."""
    content = zip_of((NAME, bytes(10**7)))
    for layer in range(depth):
        content = zip_of(*((f"part{number}_{layer}.zip", content) for number in range(10)))
    return content


def of_members(number: int) -> bytes:
    """Return a zip of very many empty members."""
    return zip_of(*((f"train-jpg/train_{each}.jpg", b"") for each in range(number)), how=zipfile.ZIP_STORED)


def seven_of(content: bytes, name: str = NAME, **options: str) -> bytes:
    """Return a 7z archive of one member."""
    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w", **options) as archive:
        archive.writestr(content, name)
    return file.getvalue()


def raw_name(name: bytes) -> bytes:
    """Return a zip whose member has a name of any bytes."""
    content = zip_of(("train-jpg/" + "x" * len(name), CHIP))
    return content.replace(b"x" * len(name), name)


def sparse() -> bytes:
    """Return a tar of a sparse file that is said to hold a terabyte."""
    member = tarfile.TarInfo(NAME)
    member.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": str(10**12),
        "GNU.sparse.name": NAME,
    }
    content = b"1\n0\n512\n".ljust(512, b"\0") + bytes(512)
    return tar_of((member, content), form=tarfile.PAX_FORMAT)


def pax_of(size: int) -> bytes:
    """Return a tar whose first header is said to be followed by so many bytes of further ones."""
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, size
    return member.tobuf() + bytes(1024)


def huge_member() -> bytes:
    """Return a tar whose member is said to hold 8 exabytes."""
    member = tarfile.TarInfo(NAME)
    member.size = 2**63
    return member.tobuf() + bytes(1024)


def gz(content: bytes) -> bytes:
    """Return content packed by gzip."""
    return gzip.compress(content, 9)


def gz_bomb() -> bytes:
    """Return a packed tar of one member of 3 GB."""
    member = tarfile.TarInfo(NAME)
    member.size = 3 * 10**9
    packer = zlib.compressobj(9, wbits=31)
    parts = [
        packer.compress(member.tobuf()),
        *(packer.compress(bytes(10**7)) for _ in range(300)),
        packer.compress(bytes(10240)),
    ]
    return b"".join([*parts, packer.flush()])


def seven_bomb() -> bytes:
    """Return a 7z of one member of 1 GB."""
    return seven_of(bytes(10**9))


def bad_7z() -> bytes:
    """Return the head of a 7z whose list is said to take 2^62 bytes."""
    start = struct.pack("<QQI", 0, 2**62, 0)
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start


ZIP, TAR, GZ, SEVEN = "train-jpg.zip", "train-jpg.tar", "train-jpg.tar.gz", "train-jpg.7z"
REFUSED: dict[str, Case] = {
    "empty.zip": file_of(ZIP, bytes),
    "empty.tar": file_of(TAR, bytes),
    "empty.7z": file_of(SEVEN, bytes),
    "3 GB, packed": file_of(GZ, gz_bomb),
    "a hard link": file_of(TAR, lambda: tar_of((special(tarfile.LNKTYPE, target="/etc/passwd"), b""))),
    "a link, then a file in it": file_of(
        TAR, lambda: tar_of((special(tarfile.SYMTYPE, "train-jpg", "/tmp"), b""), ("train-jpg/x.jpg", CHIP))
    ),
    "a fifo": file_of(TAR, lambda: tar_of((special(tarfile.FIFOTYPE), b""))),
    "a block device": file_of(GZ, lambda: gz(tar_of((special(tarfile.BLKTYPE), b"")))),
    "a link.zip": file_of(ZIP, lambda: zip_of((linked("/"), b"/etc/passwd"))),
    "twice.zip": file_of(
        ZIP, lambda: zip_of((NAME, CHIP), ("train-jpg/train_1.jpg", CHIP)).replace(b"train_1", b"train_0")
    ),
    "a file and a folder of one name": file_of(ZIP, lambda: zip_of(("train-jpg/a", CHIP), ("train-jpg/a/b.jpg", CHIP))),
    "a folder and a file of one name": file_of(TAR, lambda: tar_of(("train-jpg/a/b.jpg", CHIP), ("train-jpg/a", CHIP))),
    "a size of 10 that is 900 MB": file_of(ZIP, partial(lying_zip, 10)),
    "members that overlap": file_of(ZIP, partial(overlapping, 60_000)),
    "8 exabytes": file_of(TAR, huge_member),
    "further headers of 4 GB": file_of(TAR, partial(pax_of, 4 * 10**9)),
    "further headers of 4 GB, packed": file_of(GZ, lambda: gz(pax_of(4 * 10**9))),
    "a list of 2^62 bytes": file_of(SEVEN, bad_7z),
    "half a zip": file_of(ZIP, lambda: zip_of((NAME, bytes(range(256)) * 100))[:200]),
    "half a 7z": file_of(SEVEN, lambda: seven_of(bytes(range(256)) * 100)[:60]),
    "a name of 5,000 letters": file_of(ZIP, lambda: zip_of(("train-jpg/" + "x" * 5000 + ".jpg", CHIP))),
    "a name of 5,000 letters.tar": file_of(TAR, lambda: tar_of(("train-jpg/" + "x" * 5000 + ".jpg", CHIP))),
    "5,000 folders deep": file_of(TAR, lambda: tar_of(("train-jpg/" + "x/" * 5000 + "a.jpg", CHIP))),
    "a name with a line break": file_of(ZIP, lambda: zip_of(("train-jpg/a\nb.jpg", CHIP))),
    "escapes in a name": file_of(ZIP, lambda: zip_of(("train-jpg/\x1b]0;owned\x07.jpg", CHIP))),
    "escapes in a name that leads out": file_of(ZIP, lambda: zip_of(("../\x1b]0;owned\x07.jpg", CHIP))),
    "no packing that is known": file_of(
        ZIP, lambda: zip_of((NAME, CHIP)).replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0")
    ),
    "a terabyte, sparse": file_of(TAR, sparse),
}
EITHER: dict[str, Case] = {
    "names of two cases": file_of(ZIP, lambda: zip_of((NAME, CHIP), ("train-jpg/TRAIN_0.jpg", CHIP))),
    "a name that is no UTF-8": file_of(ZIP, lambda: raw_name(b"\xff\xfe\x80.jpg")),
    "a name with NUL": file_of(ZIP, lambda: raw_name(b"../..\0.jpg")),
    "a name with a NUL.tar": file_of(TAR, lambda: tar_of(("train-jpg/a\0b.jpg", CHIP))),
    "zips in zips": file_of("bundle.zip", partial(bomb_of_zips, 3)),
    "20,000 members": file_of(ZIP, partial(of_members, 20_000)),
    "a size of 0 that is 900 MB": file_of(ZIP, partial(lying_zip, 0)),
    "a 7z of 1 GB": file_of(SEVEN, seven_bomb),
}
CASES = {**EITHER, **REFUSED}
