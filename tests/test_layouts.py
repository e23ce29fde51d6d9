"""The layouts in which copies of the filmed data sets lie on disks: trees of empty files, under the published names."""

import contextlib
import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
import xlwt
from openpyxl import Workbook

from stages.ingest import casme2, casme3, fourdme, megc, megc2019, mmew, samm, smic, workbook
from stages.tables.errors import Unusable, UserError

CASME2 = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion"]
SAMM = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
        "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]  # fmt: skip


def sheet(file: Path, *lines: list[object], title: str = "") -> None:
    """A spreadsheet, in Excel's old format if named .xls; with a ``title`` the lines stand on a second sheet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".xls":
        old_sheet(file, *lines)
        return
    book = Workbook()
    page = book.create_sheet(title) if title else book.active
    for line in lines:
        page.append(line)
    book.save(file)


def old_sheet(file: Path, *lines: list[object]) -> None:
    book = xlwt.Workbook()
    page, date = book.add_sheet("Sheet1"), xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for row, line in enumerate(lines):
        for column, value in enumerate(line):
            if value is not None:
                page.write(row, column, value, date if isinstance(value, datetime) else xlwt.Style.default_style)
    book.save(str(file))


def touch(folder: Path, names: str, numbers: range) -> None:
    """Empty files, of which ``names`` formats the numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / names.format(number)).touch()


def casme2_sheet(file: Path) -> None:
    """EP02_01f is a clip of two people; onset, apex and offset differ."""
    sheet(file, CASME2, [1, "EP02_01f", None, 46, 59, 86, None, "12", "happiness"],
          [1, "EP19_05f", None, 1, 9, 20, None, "4", "disgust"],
          [17, "EP02_01f", None, 50, 51, 80, None, "4", "fear"])  # fmt: skip


def samm_sheet(file: Path) -> None:
    sheet(file, *([["about", "the data set"]] * 13), SAMM,
          ["006", "006_1_2", "x", 5562, 5588, 5632, 71, "1/2", "1", "Anger", 1, None],
          ["006", "006_1_3", "x", 6000, 6004, 6010, 11, "1/2", "1", "Happiness", 1, None],
          ["013", "013_7_1", "x", 10, 12, 20, 11, "1", "1", "Surprise", 1, None])  # fmt: skip


def casme2_tree(root: Path, folder: str, names: str = "img{}.jpg", sheet: str = "CASME2-coding-20140508.xlsx") -> None:
    """``folder`` formats a subject's number and a clip."""
    casme2_sheet(root / sheet)
    for subject, clip, numbers in ((1, "EP02_01f", range(46, 87)), (1, "EP19_05f", range(1, 21)),
                                   (17, "EP02_01f", range(50, 81))):  # fmt: skip
        touch(root / folder.format(subject, clip), names, numbers)


def samm_tree(
    root: Path, folder: str, names: str = "{0:03}_{{:05}}.jpg", sheet: str = "SAMM_Micro_FACS_Codes_v2.xlsx"
) -> None:
    samm_sheet(root / sheet)
    for subject, clip, numbers in ((6, "1_2", range(5562, 5633)), (6, "1_3", range(6000, 6011)),
                                   (13, "7_1", range(10, 21))):  # fmt: skip
        touch(root / folder.format(subject, clip), names.format(subject), numbers)


def smic_tree(root: Path, folder: str, names: str = "image{:03}.bmp") -> None:
    """``folder`` formats subject, emotion, and its short form; one clip has an even number of frames."""
    for subject, emotion, numbers in ((1, "negative", range(1, 12)), (1, "surprise", range(1, 8)),
                                      (20, "positive", range(100, 106))):  # fmt: skip
        short = {"negative": "ne", "surprise": "sur", "positive": "po"}[emotion]
        touch(root / folder.format(subject, emotion, short), names, numbers)


def mmew_tree(root: Path, folder: str, names: str = "{}.jpg", name: str = "MMEW_Micro_Exp.xlsx") -> None:
    """``folder`` formats subject, emotion and sample."""
    head = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
            "remarks"]  # fmt: skip
    lines: list[list[object]] = []
    for subject, emotion, sample in ((1, "anger", 1), (1, "happiness", 2), (30, "surprise", 1)):
        lines.append([f"S{subject:02}", f"S{subject:02}-02-{sample:03}", 1, 4, 9, "4", emotion, None])
        touch(root / folder.format(subject, emotion, sample), names, range(1, 10))
    sheet(root / name, head, *lines)


def casme3_tree(
    root: Path, folder: str, names: str = "{}.jpg", name: str = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
    film: bool = False,
) -> None:  # fmt: skip
    """``folder`` formats subject, film, and onset; where it is that of a ``film``, it holds frames before and after."""
    head = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    lines: list[list[object]] = []
    for subject, onset, emotion in ((1, 116, "disgust"), (1, 300, "happy"), (10, 116, "surprise")):
        lines.append([f"spNO.{subject}", "a", onset, onset + 5, onset + 9, "4", "I", emotion])
        touch(root / folder.format(subject, "a", onset), names, range(onset - 9 * film, onset + 10 + 9 * film))
    sheet(root / name, head, *lines, title="label")


def fourdme_tree(root: Path, folder: str, names: str = "{:03}.jpg", first: int = 1) -> None:
    """``folder`` formats subject and clip; ``first`` is the number of the first frame, which is coded as 1200."""
    head = ["sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs", "Positive", "Negative", "Emotion"]
    lines: list[list[object]] = []
    for subject, clip, emotion in ((1, "clip_1", "Negative"), (1, "clip_2", "Positive"), (41, "clip_1", "Surprise")):
        lines.append([subject, clip, 1200, 1205, 1210, "4", 0, 1, emotion])
        touch(root / folder.format(subject, clip), names, range(first, first + 11))
    sheet(root / "4DME_Labelling_Micro_release v1.xlsx", head, *lines)


CASME2_WANTED = {"sub01/EP02_01f": (2, 46, 59), "sub01/EP19_05f": (1, 1, 9), "sub17/EP02_01f": (1, 50, 51)}
SAMM_WANTED = {"006/006_1_2": (1, 5562, 5588), "006/006_1_3": (2, 6000, 6004), "013/013_7_1": (3, 10, 12)}
SMIC_WANTED = {"s1/s1_ne_01": (1, 1, 6), "s1/s1_sur_01": (3, 1, 4), "s20/s20_po_01": (2, 100, 103)}
MMEW_WANTED = {"S01/S01-02-001": (1, 1, 4), "S01/S01-02-002": (2, 1, 4), "S30/S30-02-001": (3, 1, 4)}
CASME3_WANTED = {"spNO.1/a_116": (1, 116, 121), "spNO.1/a_300": (2, 300, 305), "spNO.10/a_116": (3, 116, 121)}

TREES: dict[str, tuple[ModuleType, Callable[[Path], None], dict[str, tuple[int, int, int]]]] = {
    **{f"casme2 {folder} {names} {name}": (
        casme2, lambda root, of=(folder, names, name): casme2_tree(root, *of), CASME2_WANTED)
       for folder, names, name in (
        ("CASME2_RAW_selected/sub{:02}/{}", "img{}.jpg", "CASME2-coding-20140508.xlsx"),
        ("CASME2_RAW_selected/CASME2_RAW_selected/sub{:02}/{}", "img{}.jpg", "CASME2-coding-20190701.xlsx"),
        ("CASME2-RAW/sub{:02}/{}", "img{:04}.bmp", "CASME2-coding-updated.xlsx"),
        ("RAW_selected/sub{:02}/{}", "img{}.png", "CASME2-coding.xlsx"),
        ("Cropped/sub{:02}/{}", "reg_img{}.jpg", "CASME2_label_Ver_2.xls"),
        ("Cropped-updated/Cropped/sub{:02}/{}", "reg_img{}.jpg", "CASME2/CASME2-coding.xlsx"),
        ("Cropped_original/sub{:02}/{}", "reg_img{}.jpg", "codes.xlsx"),
        ("CASME2/CASME2/CASME2-RAW/sub{:02}/{}", "img{}.jpg", "CASME2/CASME2/CASME2_label_Ver_2.xlsx"),
        ("cropped/SUB{}/{}", "{:05}.PNG", "CASME2-CODING.XLSX"),
        ("frames/{}/{}", "{}.jpg", "codes.xlsx"),
        ("sub{:02}/{}", "img{}.jpg", "codes.xlsx"),
        ("flat/sub{:02}_{}", "img{}.jpg", "codes.xlsx"),
    )},
    **{f"samm {folder} {names} {name}": (samm, lambda root, of=(folder, names, name): samm_tree(root, *of), SAMM_WANTED)
       for folder, names, name in (
        ("SAMM/{0:03}/{0:03}_{1}", "{0:03}_{{:05}}.jpg", "SAMM_Micro_FACS_Codes_v2.xlsx"),
        ("SAMM/SAMM/{0:03}/{0:03}_{1}", "{0:03}_{{:05}}.jpg", "SAMM_20181215_Micro_FACS_Codes_v2.xlsx"),
        ("SAMM_clip/{0:03}/{0:03}_{1}", "{{:04}}.bmp", "SAMM/SAMM_20181215_Micro_FACS_Codes_v2.xlsx"),
        ("SAMM_CROP/{0}/{0}_{1}", "{0}_{{}}.png", "codes.xlsx"),
        ("{0:03}/{0:03}_{1}", "{0:03}_{{:05}}.jpg", "SAMM_Micro_FACS_Codes_v2.xlsx"),
        ("SAMM/{0:03}_{1}", "{0:03}_{{:05}}.jpg", "codes.xlsx"),
        ("SAMM/{0:03}", "{0:03}_{{:05}}.jpg", "SAMM_Micro_FACS_Codes_v2.xlsx"),  # all frames of a subject together
    )},
    **{f"smic {folder} {names}": (smic, lambda root, of=(folder, names): smic_tree(root, *of), SMIC_WANTED)
       for folder, names in (
        ("SMIC_all_raw/HS/s{0}/micro/{1}/s{0}_{2}_01", "image{:03}.bmp"),
        ("SMIC_all_raw/SMIC_all_raw/HS/s{0}/micro/{1}/s{0}_{2}_01", "image{:03}.bmp"),
        ("SMIC_all_cropped/HS/s{0}/micro/{1}/s{0}_{2}_01", "reg_image{:03}.bmp"),
        ("HS/s{0:02}/micro/{1}/s{0:02}_{2}_01", "image{}.jpg"),
        ("s{0}/micro/{1}/s{0}_{2}_01", "image{:03}.png"),
        ("HS/s{0}/{1}/s{0}_{2}_01", "image{:03}.bmp"),
        ("HS/{1}/s{0}_{2}_01", "image{:03}.bmp"),
        ("HS/s{0}_{2}_01", "image{:03}.bmp"),
    )},
    **{f"mmew {folder} {names} {name}": (mmew, lambda root, of=(folder, names, name): mmew_tree(root, *of), MMEW_WANTED)
       for folder, names, name in (
        ("Micro_Expression/{1}/S{0:02}-02-{2:03}", "{}.jpg", "MMEW_Micro_Exp.xlsx"),
        ("MMEW_Final/Micro_Expression/S{0:02}/{1}/S{0:02}-02-{2:03}", "{}.jpg", "MMEW_Final/MMEW_Micro_Exp_v2.xlsx"),
        ("Micro_Expression/S{0:02}-02-{2:03}", "{:05}.bmp", "MMEW_Micro_Exp (20).xlsx"),
        ("MMEW/Micro_Expression/{1}/s{0}-02-{2}", "img{}.png", "codes.xlsx"),
    )},
    **{f"casme3 {folder} {names} {name}": (
        casme3, lambda root, of=(folder, names, name, film): casme3_tree(root, *of), CASME3_WANTED)
       for folder, names, name, film in (
        ("Part_A_ME_clip/frame/spNO.{}_{}_{}", "{}.jpg", "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", False),
        ("Part_A_ME_clip/Part_A_ME_clip/frame/spNo.{}_{}_{}", "{}.jpg", "annotation/JpgIndex_v2_20250903.xlsx", False),
        ("part_A/data/part_A/spNO.{}/{}/color", "{}.jpg", "part_A/annotation/codes.xlsx", True),
        ("ME_A/spNO.{}/{}", "{:06}.png", "codes.xlsx", True),
    )},
    **{f"4dme {folder} {names} {first}": (
        fourdme, lambda root, of=(folder, names, first): fourdme_tree(root, *of),
        {"1/clip_1": (1, first, first + 5), "1/clip_2": (2, first, first + 5), "41/clip_1": (3, first, first + 5)})
       for folder, names, first in (
        ("gray_micro/{}/{}", "{:03}.jpg", 1),
        ("4DME/gray_micro/{:02}/{}", "img{}.png", 1200),
        ("gray_micro_crop/{}/{}", "{}.bmp", 0),
    )},
}  # fmt: skip


def number(file: Path) -> int:
    return int("".join(character if character.isdecimal() else " " for character in file.stem).split()[-1])


@pytest.mark.parametrize("tree", TREES)
def test_a_copy_is_read_as_it_lies_there(tree: str, tmp_path: Path) -> None:
    reader, make, wanted = TREES[tree]
    make(tmp_path)
    clips = {clip.name.replace("/s01_", "/s1_"): clip for clip in reader.sequences(tmp_path)}
    assert set(clips) == set(wanted)
    for name, (emotion, first, last) in wanted.items():
        files = reader.frames(clips[name])
        assert reader.emotion(clips[name]) == emotion
        assert [number(file) for file in files] == list(range(first, last + 1))
        assert clips[name].ends == ("middle" if reader is smic else "coded")


def composite(root: Path, names: tuple[str, ...] = ("casme2", "samm", "smic")) -> Path:
    """The three data sets, and the challenge's list, which names a clip of SMIC that is not there."""
    casme2_tree(root / names[0], "CASME2_RAW_selected/sub{:02}/{}")
    samm_tree(root / names[1], "SAMM/{0:03}/{0:03}_{1}")
    smic_tree(root / names[2], "SMIC_all_raw/HS/s{0}/micro/{1}/s{0}_{2}_01")
    (root / megc.LIST).write_text(
        "casme2,sub01,EP02_01f,1\ncasme2,sub17,EP02_01f,0\nsamm,006,006_1_2,0\nsamm,013,013_7_1,2\n"
        "smic,s01,s1_ne_01,0\nsmic,s03,s3_sur_04,2\n")  # fmt: skip
    return root


@pytest.mark.parametrize(
    "names", [("casme2", "samm", "smic"), ("CASME II", "SAMM", "SMIC"), ("CASME2", "Samm", "SMIC")]
)
def test_the_composite_is_three_data_sets_by_one_list(names: tuple[str, ...], tmp_path: Path) -> None:
    clips = {clip.name: clip for clip in megc2019.sequences(composite(tmp_path, names))}
    assert len(clips) == 10
    labelled = {}
    for name, clip in clips.items():
        with contextlib.suppress(Unusable):
            labelled[name] = megc2019.emotion(clip)
    assert labelled == {"casme2/sub01/EP02_01f": 2, "casme2/sub17/EP02_01f": 1, "samm/006/006_1_2": 1,
                        "samm/013/013_7_1": 3, "smic/s1/s1_ne_01": 1, "smic/s3/s3_sur_04": 3}  # fmt: skip
    assert [len(megc2019.frames(clips[name])) for name in labelled if "s3" not in name] == [14, 2, 27, 3, 6]
    with pytest.raises(Unusable, match="names s3/s3_sur_04, which is nowhere in"):
        megc2019.frames(clips["smic/s3/s3_sur_04"])
    assert {clip.dataset for clip in clips.values()} == {"casme2", "samm", "smic"}
    shutil.rmtree(tmp_path / names[1])
    with pytest.raises(UserError, match="holds no samm/; the composite needs casme2/, samm/ and smic/, each once"):
        megc2019.sequences(tmp_path)
    (tmp_path / "CASME 2").mkdir()
    with pytest.raises(UserError, match="several folders of it"):
        megc2019.sequences(tmp_path)


def test_clips_of_two_emotions_are_none_of_the_three(tmp_path: Path) -> None:
    fourdme_tree(tmp_path, "gray_micro/{}/{}")
    clip = replace(fourdme.sequences(tmp_path)[0], label="Negative & Surprise")
    with pytest.raises(Unusable, match="its emotion is 'Negative & Surprise'"):
        fourdme.emotion(clip)


def test_whole_frames_are_taken_before_crops(tmp_path: Path) -> None:
    for folder, names in (("Cropped", "reg_img{}.jpg"), ("CASME2_RAW_selected", "img{}.jpg")):
        casme2_tree(tmp_path, folder + "/sub{:02}/{}", names)
    assert {clip.folder.parts[-3] for clip in casme2.sequences(tmp_path)} == {"CASME2_RAW_selected"}
    shutil.rmtree(tmp_path / "CASME2_RAW_selected")
    casme2_tree(tmp_path, "mine/sub{:02}/{}")
    casme2_tree(tmp_path, "yours/sub{:02}/{}")
    assert {clip.folder.parts[-3] for clip in casme2.sequences(tmp_path)} == {"Cropped"}
    shutil.rmtree(tmp_path / "Cropped")
    with pytest.raises(UserError, match=r"holds the frames more than once \(mine, yours\); keep one of these there"):
        casme2.sequences(tmp_path)


def test_the_parts_of_smic_are_told_apart(tmp_path: Path) -> None:
    for part in ("VIS", "NIR"):
        smic_tree(tmp_path, f"SMIC_all_raw/{part}" + "/s{0}/micro/{1}/s{0}_{2}_01")
    with pytest.raises(UserError, match="the frames more than once"):
        smic.sequences(tmp_path)
    shutil.rmtree(tmp_path / "SMIC_all_raw/NIR")
    with pytest.raises(UserError, match=f"part VIS, but not HS; .* set dataset.root to {tmp_path}/SMIC_all_raw/VIS"):
        smic.sequences(tmp_path)
    assert len(smic.sequences(tmp_path / "SMIC_all_raw/VIS")) == 3
    smic_tree(tmp_path, "SMIC_all_raw/HS/s{0}/micro/{1}/s{0}_{2}_01")
    assert {clip.folder.parts[-5] for clip in smic.sequences(tmp_path)} == {"HS"}


@pytest.mark.parametrize(("reader", "folder"), [
    (smic, "SMIC-E_raw_image/HS_long/SMIC_HS_E/s01/s1_ne_01.avi"), (samm, "SAMM_longvideos/006_1")])  # fmt: skip
def test_a_long_version_is_named_in_the_sentence(reader: ModuleType, folder: str, tmp_path: Path) -> None:
    samm_sheet(tmp_path / "SAMM.xlsx")
    touch(tmp_path / folder, "{:05}.jpg", range(3))
    with pytest.raises(UserError, match=r"(HS_long|SAMM_longvideos)/ is its long version"):
        reader.sequences(tmp_path)


def test_only_the_frames_that_are_used_must_be_there(tmp_path: Path) -> None:
    smic_tree(tmp_path, "SMIC_all_cropped/HS/s{0}/micro/{1}/s{0}_{2}_01", "reg_image{:03}.bmp")
    negative, surprise, positive = smic.sequences(tmp_path)
    (negative.folder / "reg_image009.bmp").unlink()
    assert [number(file) for file in smic.frames(negative)] == [1, 2, 3, 4, 5, 6]
    (surprise.folder / "reg_image003.bmp").unlink()
    with pytest.raises(Unusable, match="frames 3 are missing"):
        smic.frames(surprise)
    (positive.folder / "reg_image102.png").touch()
    with pytest.raises(Unusable, match="frame 102 is there twice"):
        smic.frames(positive)
    shutil.rmtree(positive.folder)
    positive.folder.mkdir()
    with pytest.raises(Unusable, match="frame"):
        smic.frames(positive)
    casme2_tree(tmp_path / "casme2", "Cropped/sub{:02}/{}")
    first = casme2.sequences(tmp_path / "casme2")[0]
    for gone in (60, 75, 86):
        (first.folder / f"img{gone}.jpg").unlink()
    assert len(casme2.frames(first)) == 14


def test_frames_under_other_numbers_are_cut_to_the_coded_ones(tmp_path: Path) -> None:
    casme2_sheet(tmp_path / "codes.xlsx")
    touch(tmp_path / "Cropped/sub17/EP02_01f", "{}.jpg", range(1, 32))  # 31 as from 50 to 80
    touch(tmp_path / "Cropped/sub01/EP02_01f", "{}.jpg", range(1, 42))  # 41 as from 46 to 86
    (tmp_path / "Cropped/sub01/EP02_01f/41.jpg").unlink()
    first, other, second = casme2.sequences(tmp_path)
    assert [number(file) for file in casme2.frames(second)] == [1, 2]
    for clip, says in ((first, "holds no frame 46"), (other, "no such folder")):
        with pytest.raises(Unusable, match=says):
            casme2.frames(clip)


def test_frames_of_several_clips_in_one_folder_are_used_where_their_numbers_differ(tmp_path: Path) -> None:
    casme2_sheet(tmp_path / "codes.xlsx")
    touch(tmp_path / "Cropped/sub01", "EP02_01f_{}.jpg", range(46, 87))
    touch(tmp_path / "Cropped/sub01", "EP19_05f_{}.jpg", range(1, 21))
    touch(tmp_path / "Cropped/sub17", "img{}.jpg", range(1, 100))
    clips = casme2.sequences(tmp_path)
    assert [len(casme2.frames(clip)) for clip in clips] == [14, 9, 2]
    sheet(tmp_path / "codes.xlsx", CASME2, [17, "EP02_01f", None, 50, 51, 80, None, "4", "fear"],
          [17, "EP03_01f", None, 70, 80, 90, None, "4", "fear"])  # fmt: skip
    for clip in casme2.sequences(tmp_path):
        with pytest.raises(Unusable, match="holds the frames of several clips under the same numbers"):
            casme2.frames(clip)


def test_lines_that_contradict_each_other_set_their_clip_aside(tmp_path: Path) -> None:
    casme2_tree(tmp_path, "Cropped/sub{:02}/{}")
    line: list[object] = [17, "EP02_01f", None, 50, 51, 80, None, "4", "fear"]
    sheet(tmp_path / "CASME2-coding-20140508.xlsx", CASME2, line, line, [1, *line[1:]], [1, *line[1:5], 70, *line[6:]])
    one, other, two = casme2.sequences(tmp_path)
    assert len(casme2.frames(two)) == 2
    assert other.label == ""
    with pytest.raises(Unusable, match="lines 4 and 5: code it differently; keep one of them"):
        casme2.frames(one)


def test_a_spreadsheet_of_the_old_format_says_the_same(tmp_path: Path) -> None:
    for make, name in ((casme2_sheet, "casme2"), (samm_sheet, "samm")):
        new, old = tmp_path / f"{name}.xlsx", tmp_path / f"{name}.xls"
        make(new)
        make(old)
        assert old.read_bytes().startswith(workbook.OLD)
        assert list(workbook.read(old)) == list(workbook.read(new))
    odd: list[object] = [1, "EP02_01f", None, datetime(2014, 5, 8), True, 86.5, None, "12", "happiness"]
    sheet(tmp_path / "odd.xls", CASME2, odd)
    (line,) = workbook.read(tmp_path / "odd.xls")
    assert (megc.whole_number(line.onset), megc.whole_number(line.apex)) == (None, None)
    assert line.offset == 86.5


def test_two_copies_of_one_spreadsheet_are_one(tmp_path: Path) -> None:
    casme2_tree(tmp_path, "Cropped/sub{:02}/{}")
    shutil.copy(tmp_path / "CASME2-coding-20140508.xlsx", tmp_path / "a copy.xlsx")
    (tmp_path / "~$CASME2-coding-20140508.xlsx").write_text("open in Excel")
    sheet(tmp_path / "CASME2-ObjectiveClasses.xlsx", ["Subject", "Filename", "Objective Class"], [1, "EP02_01f", 3])
    samm_sheet(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx")
    assert len(casme2.sequences(tmp_path)) == 3


LISTS = (
    [["casme2", "sub01", "EP02_01f", "1"], ["casme2", "sub17", "EP02_01f", "0"], ["casme2", "sub26", "EP18_50", "2"],
     ["samm", "006", "006_1_2", "0"]],
    [["dataset", "subject", "clip", "label"], ["CASME II", "1", "EP02_01f", "1.0"], ["CASME II", "17", "EP02_01f", "0"],
     ["casme2", "26", "EP18_50", "2"]],
)  # fmt: skip


@pytest.mark.parametrize("lines", LISTS)
def test_the_list_is_looked_up_by_data_set_subject_and_clip(lines: list[list[str]], tmp_path: Path) -> None:
    casme2_tree(tmp_path, "Cropped/sub{:02}/{}")
    with (tmp_path / megc.LIST).open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    one, other, two, missing = casme2.sequences(tmp_path)
    assert (casme2.emotion(one), casme2.emotion(two), casme2.emotion(missing)) == (2, 1, 3)
    with pytest.raises(Unusable, match="no list names it"):
        casme2.emotion(other)
    assert missing.name == "sub26/EP18_50"
    with pytest.raises(Unusable, match="names sub26/EP18_50, which is nowhere in"):
        casme2.frames(missing)


@pytest.mark.parametrize(("text", "says"), [
    ("samm,006,006_1_2,0\n", "names no clip of casme2"), ("", "names no clip"), ("casme2,sub01\n", "class 0 to 2"),
    ("casme2,sub01,EP02_01f,3\n", "class 0 to 2"), ("casme2,sub01,EP02_01f,0.5\n", "class 0 to 2"),
    ("a,b,c,d\ne,f,g,h\n", "names no clip"), ("x\ncasme2,sub01,EP02_01f,1\n", "class 0 to 2")])  # fmt: skip
def test_a_list_that_is_none_is_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    casme2_tree(tmp_path, "Cropped/sub{:02}/{}")
    (tmp_path / megc.LIST).write_text(text)
    with pytest.raises(UserError, match=says):
        casme2.sequences(tmp_path)


def test_a_tree_without_end_is_a_sentence_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    casme2_tree(tmp_path, "Cropped/sub{:02}/{}")
    (tmp_path / "Cropped/loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(casme2.sequences(tmp_path)) == 3
    monkeypatch.setattr("stages.ingest.layout.MOST", 5)
    with pytest.raises(UserError, match="holds more than 5 folders"):
        casme2.sequences(tmp_path)
