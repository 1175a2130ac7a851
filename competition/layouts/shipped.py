"""The layouts of the competitions that ship, as Kaggle or their publishers deliver them.

Where they deliver labels of all chips and no sample submission, the chips to predict have no row in the table here:
whoever wants to hold chips out would remove theirs. Planet has a simulator of its own, whose chips show what their
labels say.
"""

from __future__ import annotations

from competition.layouts.delivery import Delivery, SideFile

DELIVERIES = {
    # One archive of everything, as Kaggle's client brings it.
    "plant-pathology-2021": Delivery(
        chip_id="{hex:.16}.jpg",
        answer="healthy",
        aspects=(1.5,),
        packed={
            "plant-pathology-2021-fgvc8.zip": ("sample_submission.csv", "test_images", "train.csv", "train_images"),
        },
    ),
    "ranzcr-clip": Delivery(
        chip_id="1.2.826.0.1.3680043.8.498.{digits:.38}",
        more={"PatientID": "{patient_hex:.9}"},
        aspects=(1.0, 1.2, 0.9),
        grey=True,
        side_files={
            "train_annotations.csv": SideFile(
                '{id},{label},"[[18, 12], [20, 31]]"', header="StudyInstanceUID,label,data"
            )
        },
    ),
    # An archive per folder, with the files bare in it.
    "human-protein-atlas-2018": Delivery(
        chip_id="{hex:.8}-bad0-11e8-b2b8-ac1f6b6435d0",
        answer="0",
        packed={"train.zip": ("train/",), "test.zip": ("test/",)},
    ),
    # Archives in an archive, and pictures of every shape.
    "imet-2019": Delivery(
        chip_id="{hex:.16}",
        answer="0 1 2",
        aspects=(1.0, 0.6, 1.7),
        side_files={"labels.csv": SideFile("{number},tag::{label}", of="labels", header="attribute_id,attribute_name")},
        packed={
            "train.zip": ("train/",),
            "test.zip": ("test/",),
            "imet-2019-fgvc6.zip": ("labels.csv", "sample_submission.csv", "test.zip", "train.csv", "train.zip"),
        },
    ),
    # Twelve folders of one name, most chips without a label, and some pictures with a band of opacity. A header with
    # commas where its two last columns have one name each, and an empty one at the end.
    "chestx-ray14": Delivery(
        chip_id="{patient:08d}_{visit:03d}.png",
        more={
            "Follow-up #": "{visit}",
            "Patient ID": "{patient}",
            "Patient Age": "58",
            "Patient Gender": "M",
            "View Position": "PA",
            "OriginalImage[Width": "2682",
            "Height]": "2749",
            "OriginalImagePixelSpacing[x": "0.143",
            "y]": "0.143",
            "": "",
        },
        grey=True,
        opaque=40,
        side_files={"train_val_list.txt": SideFile("{id}"), "test_list.txt": SideFile("{id}", of="test")},
    ),
    # A folder per patch in a folder per tile, a file per band, three resolutions.
    "bigearthnet-s2": Delivery(
        chip_id="{tile}_{column:02d}_{row:02d}",
        inside="{tile}/{id}",
        more={"country": "Austria"},
        smaller=dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 2) | {"B01": 6, "B09": 6},
    ),
    # A folder per scene; some chips lack a few columns of pixels.
    "ucmerced-multilabel": Delivery(
        chip_id="{scene}{place:02d}",
        inside="{scene}",
        aspects=(1.0,) * 9 + (0.965,),
        packed={"UCMerced_LandUse.zip": ("UCMerced_LandUse",)},
    ),
    # A folder per class, which is in the ids; classes as numbers too; a first column without a name.
    "eurosat": Delivery(
        chip_id="{label}/{label}_{number}.jpg",
        columns=("", "Filename", "Label", "ClassName"),
        is_split=True,
        more={"": "{index}", "Label": "{label_number}"},
    ),
    # Some chips stand in the table twice.
    "rsna-hemorrhage-2019": Delivery(
        chip_id="ID_{hex:.9}",
        repeated=2,
        answer="0.5",
        union="any",
        packed={"stage_1_train.csv.zip": ("stage_1_train.csv",)},
    ),
}
