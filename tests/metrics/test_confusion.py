"""The confusion matrix and its scores: equal to torchmetrics and to NumPy, exact, additive, strict about its input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional import classification as reference

from course_utils.metrics import BinaryCounts, ConfusionMatrix

VOID = 255
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 7))
SEEDS = st.integers(0, 2**32 - 1)
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def label_maps(classes, size, rng):
    """(prediction, target), often with classes that are absent from one or both, and with no, some or only void."""
    prediction, target = (rng.choice(rng.integers(classes, size=rng.integers(1, classes + 1)), size) for _ in range(2))
    right = rng.random(size) < rng.choice([0, 0.5, 1])
    prediction = np.where(right, target, prediction)
    target[rng.random(size) < rng.choice([0, 0.3, 1], p=[0.45, 0.45, 0.1])] = VOID
    return torch.from_numpy(prediction), torch.from_numpy(target)


def numpy_matrix(prediction, target, classes):
    valid = target != VOID
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (target[valid].numpy(), prediction[valid].numpy()), 1)
    return matrix


def numpy_scores(matrix):
    """acc, acc_cls, mean IU and frequency-weighted IU, as the FCN paper writes them; absent classes are left out."""
    with np.errstate(invalid="ignore"):
        right, true, union = np.diag(matrix), matrix.sum(1), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
        iu = right / union
    present = true > 0
    weighted = (true[present] * iu[present]).sum() / true.sum()
    return right.sum() / true.sum(), (right[present] / true[present]).mean(), iu[union > 0].mean(), weighted


@settings(max_examples=60)
@given(st.integers(1, 7), SIZES, SEEDS)
def test_equals_numpy(classes, size, seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        prediction, target = label_maps(classes, size, rng)
        ours = ConfusionMatrix(classes).update(prediction, target)
        expected = numpy_matrix(prediction, target, classes)
        assert ours.matrix.dtype == torch.int64 and np.array_equal(ours.matrix, expected)
        if expected.any():
            scores = ours.acc(), ours.acc_cls(), ours.mean_iu(), ours.fw_iu()
            assert scores == pytest.approx(numpy_scores(expected), rel=1e-12)


@settings(max_examples=100)
@given(st.integers(2, 7), SIZES, SEEDS)
def test_equals_torchmetrics(classes, size, seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        prediction, target = label_maps(classes, size, rng)
        ours = ConfusionMatrix(classes).update(prediction, target)
        given_to_both = {"preds": prediction, "target": target, "num_classes": classes, "ignore_index": VOID}
        assert torch.equal(ours.matrix, reference.multiclass_confusion_matrix(**given_to_both))
        if not ours.matrix.any():
            continue
        for score, by_class in (
            (ours.iu, reference.multiclass_jaccard_index),
            (ours.dice, reference.multiclass_f1_score),
            (ours.precision, reference.multiclass_precision),
            (ours.recall, reference.multiclass_recall),
        ):
            torch.testing.assert_close(score("zero").float(), by_class(**given_to_both, average="none"))
        micro = reference.multiclass_accuracy(**given_to_both, average="micro")
        assert ours.acc() == pytest.approx(micro.item(), rel=1e-6)
        macro = reference.multiclass_jaccard_index(**given_to_both, average="macro")
        assert ours.mean_iu() == pytest.approx(macro.item(), rel=1e-6, abs=1e-7)


@settings(max_examples=60)
@given(st.integers(1, 6), SIZES, SEEDS)
def test_merging_and_chunks_count_like_the_whole(classes, size, seed):
    rng = np.random.default_rng(seed)
    pairs = [label_maps(classes, size, rng) for _ in range(6)]
    prediction, target = (torch.cat(maps) for maps in zip(*pairs, strict=True))
    whole = ConfusionMatrix(classes).update(prediction, target)

    one_by_one = ConfusionMatrix(classes)
    for image, truth in zip(prediction, target, strict=True):
        one_by_one.update(image, truth)
    assert torch.equal(one_by_one.matrix, whole.matrix)

    cut = int(rng.integers(len(target) + 1))  # one part may be empty
    first = ConfusionMatrix(classes).update(prediction[:cut], target[:cut])
    second = ConfusionMatrix(classes).update(prediction[cut:], target[cut:])
    before = second.matrix.clone()
    assert torch.equal(first.merge(second).matrix, whole.matrix)
    assert torch.equal(second.matrix, before)


@given(st.integers(2, 6), SIZES, SEEDS)
def test_renaming_classes_changes_no_mean(classes, size, seed):
    rng = np.random.default_rng(seed)
    prediction, target = label_maps(classes, size, rng)
    names = torch.from_numpy(rng.permutation(classes))
    ours = ConfusionMatrix(classes).update(prediction, target)
    renamed = ConfusionMatrix(classes).update(names[prediction], torch.where(target == VOID, VOID, names[target % 255]))
    assert torch.equal(renamed.matrix[names][:, names], ours.matrix)
    for score in ("acc", "acc_cls", "mean_iu", "fw_iu"):
        assert getattr(renamed, score)() == pytest.approx(getattr(ours, score)(), rel=1e-12, nan_ok=True)


@given(st.integers(1, 6), SIZES, SEEDS)
def test_relations_between_scores(classes, size, seed):
    ours = ConfusionMatrix(classes).update(*label_maps(classes, size, np.random.default_rng(seed)))
    iu, dice, precision, recall = ours.iu(), ours.dice(), ours.precision("zero"), ours.recall("zero")
    torch.testing.assert_close(dice, 2 * iu / (1 + iu), equal_nan=True)
    if not ours.matrix.any():
        return
    both = precision + recall
    harmonic = torch.where(both > 0, 2 * precision * recall / both, 0)
    torch.testing.assert_close(ours.dice("zero"), harmonic)
    rounding = 1e-12
    assert 0 <= ours.fw_iu() <= ours.acc() + rounding <= 1 + 2 * rounding
    low, middle, high = (ours.mean_iu(policy) for policy in ("zero", "nan", "one"))
    assert low <= middle + rounding <= high + 2 * rounding


@pytest.mark.parametrize("device", DEVICES)
def test_counts_stay_where_the_pixels_are(device):
    prediction, target = torch.tensor([[0, 1, 1]], device=device), torch.tensor([[0, 1, VOID]], device=device)
    ours = ConfusionMatrix(2).update(prediction, target)
    assert ours.matrix.device.type == device and ours.matrix.tolist() == [[1, 0], [0, 1]]
    assert ConfusionMatrix(2).merge(ours).matrix.tolist() == [[1, 0], [0, 1]]
    assert ours.iu().tolist() == [1, 1]


def test_rows_are_truth_and_columns_prediction():
    ours = ConfusionMatrix(3).update(torch.tensor([[2, 2, 0]]), torch.tensor([[1, 1, 0]]))
    assert ours.matrix.tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]
    assert ours.recall()[:2].tolist() == [1, 0] and ours.precision()[[0, 2]].tolist() == [1, 0]


def test_the_three_policies_give_three_numbers():
    target = torch.tensor([[0, 0, 1, 1]])  # class 2 nowhere, class 3 only predicted
    ours = ConfusionMatrix(4).update(torch.tensor([[0, 3, 1, 1]]), target)
    assert ours.iu("nan")[[0, 1, 3]].tolist() == [0.5, 1, 0] and ours.iu("nan")[2].isnan()
    assert ours.iu("zero").tolist() == [0.5, 1, 0, 0] and ours.iu("one").tolist() == [0.5, 1, 1, 0]
    assert [ours.mean_iu(policy) for policy in ("nan", "zero", "one")] == [0.5, 0.375, 0.625]
    assert [ours.acc_cls(policy) for policy in ("nan", "zero", "one")] == [0.75, 0.375, 0.875]
    assert ours.precision("one").tolist() == [1, 1, 1, 0] and ours.recall("one").tolist() == [0.5, 1, 1, 1]
    assert ours.dice("one")[2] == 1 and ours.acc() == 0.75 and ours.fw_iu() == 0.75


@pytest.mark.parametrize("absent", ["nan", "zero", "one"])
@pytest.mark.parametrize("size", [(2, 3, 4), (0, 3, 4)])
def test_a_score_of_nothing_is_nan(absent, size):
    ours = ConfusionMatrix(3).update(torch.zeros(size, dtype=torch.int64), torch.full(size, VOID))
    assert not ours.matrix.any()
    by_class = torch.stack([score(absent) for score in (ours.iu, ours.dice, ours.precision, ours.recall)])
    assert by_class.isnan().all()
    assert all(math.isnan(score) for score in (ours.acc(), ours.fw_iu(), ours.acc_cls(absent), ours.mean_iu(absent)))


def test_a_single_class():
    ours = ConfusionMatrix(1).update(torch.zeros(4, 5, dtype=torch.int64), torch.zeros(4, 5, dtype=torch.int64))
    assert ours.matrix.tolist() == [[20]]
    assert ours.acc() == ours.acc_cls() == ours.mean_iu() == ours.fw_iu() == 1


def test_nothing_is_read_at_void_pixels():
    target = torch.tensor([[0, 1, -1]])
    for anything in (0, 1, -7, 99):
        ours = ConfusionMatrix(2, ignore_index=-1).update(torch.tensor([[0, 1, anything]]), target)
        assert ours.matrix.tolist() == [[1, 0], [0, 1]]


def test_a_class_can_be_the_void_one():
    ours = ConfusionMatrix(2, ignore_index=0).update(torch.tensor([[0, 0, 1]]), torch.tensor([[0, 1, 1]]))
    assert ours.matrix.tolist() == [[0, 0], [1, 1]]


def test_counts_are_exact_beyond_what_float32_holds():
    ours = ConfusionMatrix(2).update(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]))
    for _ in range(40):
        ours.merge(ours)
    ours.update(torch.tensor([[0]]), torch.tensor([[0]]))
    assert ours.matrix.tolist() == [[2**40 + 1, 2**40], [0, 0]]
    assert ours.acc() == (2**40 + 1) / (2**41 + 1)


def test_binary_counts():
    prediction, target = torch.tensor([[1, 1, 1, 0, 0, 0, 1]]), torch.tensor([[1, 1, 0, 1, 0, 0, VOID]])
    counts = ConfusionMatrix(2).update(prediction, target).binary_counts()
    assert counts == BinaryCounts(tp=2, fp=1, fn=1, tn=2)
    with pytest.raises(ValueError, match="binary_counts needs 2 classes, this matrix has 3"):
        ConfusionMatrix(3).binary_counts()


def test_its_text_says_what_it_holds():
    ours = ConfusionMatrix(2).update(torch.tensor([[0, 1]]), torch.tensor([[0, VOID]]))
    assert repr(ours) == "ConfusionMatrix(num_classes=2, ignore_index=255): 1 pixels"


ZEROS = torch.zeros(2, 4, 5, dtype=torch.int64)
HALF_VOID = torch.cat([ZEROS[:1] + 255, ZEROS[1:]])


@pytest.mark.parametrize(
    ("prediction", "target", "error", "message"),
    [
        (torch.zeros(2, 3, 4, 5), ZEROS, TypeError, r"prediction: expected an int64 .* float32.*argmax\(1\)"),
        (ZEROS, ZEROS.int(), TypeError, r"target: expected an int64 .* int32.*Use \.long\(\)"),
        (ZEROS > 0, ZEROS, TypeError, r"prediction: .*bool.*Use \.long\(\)"),
        (ZEROS.numpy(), ZEROS, TypeError, "prediction: .*NumPy array.*as_tensor"),
        (ZEROS[:, :2], ZEROS, ValueError, r"differ in shape: \(2, 2, 5\) and \(2, 4, 5\).*Resize the scores"),
        (ZEROS, ZEROS.to("meta"), ValueError, "prediction is on cpu and target on meta"),
        (ZEROS + 3, ZEROS, ValueError, "prediction: class numbers must be 0 to 2; got 3 in 40 pixels"),
        (ZEROS - 1, ZEROS, ValueError, "prediction: class numbers must be 0 to 2; got -1 in 40 pixels"),
        (ZEROS, ZEROS + 3, ValueError, "target: class numbers must be 0 to 2, or 255 for void; got 3 in 40 pixels"),
        (ZEROS, ZEROS - 1, ValueError, "target: .* got -1 in 40 pixels.*ignore_index"),
        (ZEROS + 3, HALF_VOID, ValueError, "prediction: .* got 3 in 20 pixels"),
        (ZEROS, HALF_VOID - ZEROS.new_tensor([0, 1])[:, None, None], ValueError, "target: .* got -1 in 20 pixels"),
        (ZEROS, torch.arange(100, 140).view(2, 4, 5), ValueError, "got 100, 101, 102, .*107, … in 40 pixels"),
    ],
)
def test_bad_pairs_are_refused_and_leave_the_counts(prediction, target, error, message):
    ours = ConfusionMatrix(3).update(ZEROS, ZEROS)
    with pytest.raises(error, match=message):
        ours.update(prediction, target)
    assert ours.matrix.tolist() == [[40, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ConfusionMatrix(0), ValueError, "num_classes: expected 1 or more, got 0"),
        (lambda: ConfusionMatrix(2.0), TypeError, "num_classes: expected a whole number, got 2.0"),
        (lambda: ConfusionMatrix(2, ignore_index=None), TypeError, "ignore_index: expected a whole number, got None"),
        (lambda: ConfusionMatrix(2).merge(ConfusionMatrix(3)), ValueError, "other has 3 classes, this matrix 2"),
        (lambda: ConfusionMatrix(2).iu("none"), ValueError, "Unknown policy for absent classes 'none'.* Known: nan"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
