"""The measuring instruments with weights: face recognisers, detectors, perceptual trunks.

Importing this package registers the cards of the built-in judges and nothing heavier.
"""

from benchmark.judges.base import JUDGES, JudgeCard
from benchmark.weights.base import DEEPFACE_FILES

_DLIB_CAVEATS = (
    "trained mostly on scraped photographs of celebrities; error per group is not published",
    "a non-differentiable pipeline of 8-bit crops: no loss can look through it",
)

for _card in (
    JudgeCard(
        name="dlib",
        version="1",
        kind="recogniser",
        summary="ResNet-29 of dlib as deepface's model Dlib, 128-d; judge of record for identity",
        weights=("dlib-resnet",),
        licence="CC0-1.0",
        trained_on="3 million faces of 7,485 people: FaceScrub, VGG and web scrapes",
        source="King 2017, davisking/dlib-models; deepface (MIT)",
        caveats=_DLIB_CAVEATS,
    ),
    JudgeCard(
        name="dlib-hog",
        version="1",
        kind="detector",
        summary="HOG detector of frontal faces of dlib, one upsampling",
        licence="BSL-1.0",
        trained_on="3,000 faces of Labeled Faces in the Wild",
        source="King 2009, davisking/dlib",
        caveats=("frontal faces above about 40 px; known to miss dark faces in low contrast",),
    ),
    JudgeCard(
        name="dlib-landmarks",
        version="1",
        kind="landmarks",
        summary="68 landmarks of dlib, for photographs that come without",
        weights=("dlib-landmarks-68",),
        licence="LicenseRef-iBUG-300-W",
        trained_on="iBUG 300-W",
        source="Kazemi & Sullivan 2014, davisking/dlib-models",
        caveats=("the licence of iBUG 300-W excludes commercial use",),
    ),
    *(
        JudgeCard(
            name=f"deepface-{model.lower()}",
            version="1",
            kind="recogniser",
            summary=f"deepface's recogniser {model} on its PyTorch backend",
            weights=(f"deepface-{model.lower()}",),
            licence="LicenseRef-see-publisher",
            source="serengil/deepface",
            caveats=("weights come without a published digest; training data varies by model",),
        )
        for model in DEEPFACE_FILES
    ),
    *(
        JudgeCard(
            name=f"lpips-{net}",
            version="0.1",
            kind="perceptual",
            summary=f"learned perceptual distance on {trunk}",
            weights=(trunk,),
            licence="BSD-2-Clause",
            trained_on="ImageNet (trunk), human judgements of BAPPS (heads)",
            source="Zhang et al. 2018, richzhang/PerceptualSimilarity",
        )
        for net, trunk in (("squeeze", "squeezenet1_1"), ("alex", "alexnet"), ("vgg", "vgg16"))
    ),
    JudgeCard(
        name="fundus",
        version="1",
        kind="segmenter",
        summary="small U-Net of the suite for vessels, microaneurysms and exudates",
        target="benchmark.judges.fundus_net:FundusSegmenter",
        licence="Apache-2.0",
        trained_on="fundus photographs rendered by the suite, clean and degraded",
        source="python -m benchmark instruments train fundus-segmenter",
        caveats=(
            "trained on rendered eyes only: not validated on any patient, no medical device",
            "errors differ between pigmentations, see: python -m benchmark instruments show",
        ),
    ),
    JudgeCard(
        name="frangi",
        version="1",
        kind="segmenter",
        summary="multiscale vesselness of Frangi et al. on log contrast, parameters fixed",
        target="benchmark.judges.frangi:FrangiSegmenter",
        licence="Apache-2.0",
        trained_on="nothing",
        source="Frangi et al. 1998; settings in benchmark.judges.frangi.FrangiSettings",
        caveats=(
            "finds dark lines of any origin, also the rims of lesions and of the optic disc",
            "misses vessels narrower than 2 px and those in low contrast",
        ),
    ),
    JudgeCard(
        name="lungs",
        version="1",
        kind="segmenter",
        summary="lungs in frontal chest radiographs, by contrast and anatomy, parameters fixed",
        target="benchmark.judges.lungs:LungSegmenter",
        licence="Apache-2.0",
        trained_on="nothing",
        source="settings in benchmark.judges.lungs.LungSettings",
        caveats=(
            "mean Dice 0.72 on 77 clean radiographs (women 0.75, men 0.70; ap 0.67, pa 0.77)",
            "finds too little, and 0.01 more of Dice in degraded copies than in the clean ones",
            "five of those masks showed what is outlined there; nothing was fitted to them",
            "sees no lung behind the heart or whitened by disease, expects both upright",
            "does not refuse a picture with black and white exchanged",
        ),
    ),
    JudgeCard(
        name="lwnet",
        version="1",
        kind="segmenter",
        summary="published W-Net for vessels, trained on photographs of patients",
        target="benchmark.judges.lwnet:WNetSegmenter",
        weights=("lwnet-drive",),
        licence="MIT",
        trained_on="DRIVE: 20 photographs of a Dutch screening programme, one camera",
        source="Galdran et al. 2022, agaldran/lwnet",
        caveats=(
            "meant for fields of view of 512 px; smaller pictures are enlarged",
            "error per group is not published; has seen few pigmentations",
            "slow: four passes at 512 px for every picture",
        ),
    ),
    JudgeCard(
        name="sign-judge",
        version="1",
        kind="reader",
        summary="finds, straightens and reads signs; judge of record for recognition",
        target="benchmark.judges.signs:JudgeReader",
        licence="Apache-2.0",
        trained_on="the suite's own rendered signs, split train-judge, daylight only",
        source="benchmark.judges.signs_net.SignGaze",
        caveats=("reads rendered signs only; quality by light in its training record",),
    ),
    JudgeCard(
        name="sign-reader",
        version="1",
        kind="reader",
        summary="reads signs cell by cell; the recognition loss looks through it",
        target="benchmark.judges.signs:LossReader",
        licence="Apache-2.0",
        trained_on="the suite's own rendered signs, split train, daylight only",
        source="benchmark.judges.signs_net.SignField",
        caveats=("inside the loss of hosts trained here: no evidence about them",),
    ),
    *(
        JudgeCard(
            name=f"cifar10-resnet{depth}",
            version="1",
            kind="reader",
            summary=f"ResNet-{depth} for the ten classes of CIFAR-10, 32 px",
            target=f"benchmark.judges.cifar:ResNet{depth}",
            weights=(f"cifar10-resnet{depth}",),
            licence="BSD-2-Clause",
            trained_on="the 50,000 training pictures of CIFAR-10",
            source="He et al. 2016; akamaster/pytorch_resnet_cifar10",
            caveats=(
                f"the publisher reports {error} error on the lossless test set; JPEG costs points",
                "CIFAR-10's pictures were gathered from the web without consent or licence",
            ),
        )
        for depth, error in ((20, "8.27 %"), (56, "6.61 %"))
    ),
    JudgeCard(
        name="skin-tone",
        version="1",
        kind="attribute",
        summary="level of tone that the visible skin is rendered in: light, medium or dark",
        target="benchmark.judges.tone:SkinTone",
        licence="Apache-2.0",
        source="benchmark.judges.tone; Monk Skin Tone Scale (Monk 2019)",
        caveats=(
            "measures the colour of marked pixels in a picture; it classifies no person",
            "needs the mask `skin`; calibrated on the light and shade of the face probe",
        ),
    ),
    JudgeCard(
        name="face-attributes",
        version="1",
        kind="attribute",
        summary="level of tone that a rendered face is shown in, by a small network",
        target="benchmark.judges.attributes_net:FaceAttributes",
        licence="Apache-2.0",
        trained_on="the suite's own rendered faces, split train",
        source="benchmark.judges.attributes_net.AttributeNet",
        caveats=("no classifier of real people", "in the dark it guesses: see its card"),
    ),
    JudgeCard(
        name="features-attributes",
        version="1",
        kind="features",
        summary="128 numbers that tone, pose and expression are read from; knows the attribute",
        target="benchmark.judges.attributes_net:AttributeFeatures",
        licence="Apache-2.0",
        trained_on="the suite's own rendered faces, split train",
        source="benchmark.judges.attributes_net.AttributeNet",
        caveats=("knows rendered faces only",),
    ),
    JudgeCard(
        name="features-dlib",
        version="1",
        kind="features",
        summary="dlib's face descriptor, 128-d; knows identity and was not trained on attributes",
        target="benchmark.judges.features:DlibFeatures",
        weights=("dlib-resnet",),
        licence="CC0-1.0",
        trained_on="3 million faces of 7,485 people: FaceScrub, VGG and web scrapes",
        source="King 2017, davisking/dlib-models",
        caveats=_DLIB_CAVEATS,
    ),
    JudgeCard(
        name="features-squeeze",
        version="1",
        kind="features",
        summary="SqueezeNet 1.1, last feature map averaged, 512-d; for any pictures",
        target="benchmark.judges.features:SqueezeFeatures",
        weights=("squeezenet1_1",),
        licence="BSD-2-Clause",
        trained_on="ImageNet",
        source="Iandola et al. 2016, torchvision",
        caveats=("the trunk of lpips-squeeze: no evidence about hosts trained with that loss",),
    ),
):
    JUDGES.add(_card.name, _card, summary=_card.summary)

__all__ = ["JUDGES", "JudgeCard"]
