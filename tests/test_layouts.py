"""The layouts in which copies of the filmed data sets lie on disks: trees of empty files, under the published names."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from openpyxl import Workbook

from stages.ingest import casme2, megc, samm, smic
from stages.tables.errors import Unusable, UserError

CASME2 = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion"]
SAMM = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
        "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]  # fmt: skip


def sheet(file: Path, *lines: list[object], title: str = "") -> None:
    """A spreadsheet; with a ``title`` the lines stand on a second sheet of that name."""
    book = Workbook()
    page = book.create_sheet(title) if title else book.active
    for line in lines:
        page.append(line)
    file.parent.mkdir(parents=True, exist_ok=True)
    book.save(file)


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


CASME2_WANTED = {"sub01/EP02_01f": (2, 46, 59), "sub01/EP19_05f": (1, 1, 9), "sub17/EP02_01f": (1, 50, 51)}
SAMM_WANTED = {"006/006_1_2": (1, 5562, 5588), "006/006_1_3": (2, 6000, 6004), "013/013_7_1": (3, 10, 12)}
SMIC_WANTED = {"s1/s1_ne_01": (1, 1, 6), "s1/s1_sur_01": (3, 1, 4), "s20/s20_po_01": (2, 100, 103)}

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
