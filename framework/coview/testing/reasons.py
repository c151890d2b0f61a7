"""Why each check of the kit matters, and what helps where it fails: said beside what a check has found.

Numbers are of coview's own measurements. Checks of several kinds with one name have one reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Reason(NamedTuple):
    """What is said of a check that fails.

    Attributes:
        why: What goes wrong in a run.
        mend: What to change.
    """

    why: str
    mend: str


_GENERATORS = Reason(
    "a library that draws from its own generator repeated itself in loader processes: 8 different views in 96 draws, "
    "the same in every epoch",
    "draw from the rng that it is given; seed a library's generator from rng for each call",
)
_KEY = Reason(
    "a view is then another one with other loader processes, ranks or after a resume, and no run can be repeated",
    "draw from the rng that it is given, and keep no counter or cache between calls",
)
_INTERPRETER = Reason(
    "a resumed run is in another interpreter, and would go on with other numbers",
    "sort sets and listings of folders, and do not use hash() or id() of objects",
)
_STATE = Reason(
    "a resumed run, an export and every later evaluation load the state_dict, and would get another network",
    "register weights as parameters, and what else is learnt as buffers or by get_extra_state",
)
_WIDTH = Reason(
    "what is behind it is built for its width before it is called",
    "set self.width in the constructor, to the number of columns that come out",
)
_EVALUATION = Reason(
    "the numbers of a run would depend on when, and how often, it is evaluated",
    "draw and update buffers only where self.training is true",
)
_META = Reason(
    "coview recipe check --build builds it without memory for weights, and has to see the shapes that a run sees",
    "build the same layers on the meta device as elsewhere: use coview.on_meta_device() only to leave out a download",
)
_WEIGHTS = Reason(
    "a weight without a gradient stays at its random start, and weight decay shrinks it",
    "let the output depend on it, remove it, or set requires_grad = False",
)
_INPUT = Reason(
    "others get the same tensors: the teacher, other losses, evaluators, and the second pass of the gradient cache",
    "use x + y in place of x += y, and clone what has to be changed",
)
_PADDING = Reason(
    "a sample's numbers would depend on the longest sample that happens to be in its batch",
    "use the mask of padding in attention, norms and means",
)
_ROWS = Reason(
    "on several processes other rows are on other processes, and the result would depend on how many there are",
    "take no statistics over rows; an operation for each row is enough here",
)
_WHAT_IT_SAYS = Reason(
    "recipes are checked by it before any data are loaded, and what is found later ends a run",
    "let the fields say what the calls then give",
)

REASONS: Mapping[str, Reason] = {
    # augmentations
    "uses_no_other_randomness": _GENERATORS,
    "depends_on_its_key_alone": _KEY,
    "depends_on_its_keys_alone": _KEY,
    "draws_anew_for_each_key": Reason(
        "the views of a sample would be equal, and a network learns nothing from equal views",
        "draw from the rng that it is given; if it never draws, except the check with that reason",
    ),
    "leaves_its_value_alone": Reason(
        "the second view of a sample is made of the same value, and would be augmented twice",
        "copy the value before you write into it",
    ),
    "is_the_same_in_loader_processes": _KEY,
    "is_the_same_in_another_interpreter": _INTERPRETER,
    "keeps_its_rows": Reason(
        "rows are matched with ids, labels and the other view by their number",
        "return a batch of as many rows, in the same order",
    ),
    "leaves_its_batch_alone": _INPUT,
    "leaves_its_context_alone": _INPUT,
    "keeps_its_state_in_buffers": Reason(
        "a resumed run would begin with an empty state", "keep the state in buffers, which a checkpoint holds"
    ),
    "is_as_replayable_as_it_says": Reason(
        "coview records it once as a CUDA graph, and would then repeat the first batch's draws",
        "draw as many numbers whatever the values are, without .item() or if over tensors; or replayable = False",
    ),
    # callbacks
    "takes_every_context": Reason(
        "a run that ends with an error or by Ctrl-C calls it too, and its own error would hide that one",
        "take what is in the context, and expect that a run may have taken no step",
    ),
    "only_looks_at_the_model": Reason(
        "a run with it would have other numbers than one without",
        "use model.eval() on a copy only, and torch.no_grad(); what changes the run says changes_run = True",
    ),
    "leaves_the_global_generators": Reason(
        "dropout of the next step draws from them, and a run with it would have other numbers",
        "make a generator of your own: torch.Generator(), random.Random()",
    ),
    "stops_only_if_it_says_so": Reason(
        "the recipe's hash counts callbacks that change a run and leaves out those that only tell",
        "set changes_run = True in the class",
    ),
    "goes_on_from_its_state": Reason(
        "a resumed run would stop, or step, at another place than one that was never interrupted",
        "return all that it counts from state_dict, and take it back in load_state_dict",
    ),
    # data sets
    "has_rows": Reason("an empty split ends a run after it has begun", "refuse the split with coview.check_split"),
    "says_what_it_is": _WHAT_IT_SAYS,
    "yields_samples": Reason(
        "the loader asks each row for its value by the modality's name", "return coview.Sample({modality: value}, …)"
    ),
    "ids_are_texts_or_whole_numbers": Reason(
        "views are seeded by the id, and results name samples by it", "use the file's name or the row's number"
    ),
    "ids_stay": Reason(
        "views are seeded by the id: another id is another view, and no run can be repeated",
        "make the id of the row, and not of a counter",
    ),
    "ids_differ": Reason(
        "samples of one id count as the same, and are not negatives of each other",
        "give each row an id of its own; rows that are one thing have one group",
    ),
    "values_stay": Reason(
        "controls would be measured on other samples than the encoder", "move what is random into an augmentation"
    ),
    "reads_modalities_as_all": Reason(
        "where the encodings of a frozen encoder are kept, training reads the other modalities alone",
        "make both of one function, which reads the modalities that it is asked for",
    ),
    "negatives_are_of_its_modalities": Reason(
        "the view of hard negatives is made of them, by the modality's own augmentations and encoder",
        "give negatives of modalities that the sample has, each as coview.Negative",
    ),
    "has_the_values_that_it_counts": Reason(
        "an epoch draws one of the values by its number, and an evaluation has each as a row of the sample",
        "make value_counts and with_values of the same list; with another value a sample is the same otherwise",
    ),
    "labels_are_class_indices": Reason(
        "a probe has one output for each class, and a label is its number",
        "number the labels from 0 in the order of classes; None where there is none",
    ),
    "groups_are_texts_or_whole_numbers": Reason(
        "splits keep groups apart, and intervals are over groups", "use the person's or recording's name; None for none"
    ),
    "scores_are_finite_numbers": Reason(
        "one infinite score makes every correlation meaningless", "leave the row out, or return None"
    ),
    "extras_are_numbers": Reason(
        "extras are collated to one tensor for a batch", "give every sample the same extras, as numbers or arrays"
    ),
    "context_can_be_moved": Reason(
        "it has to be on the device that trains", "return tensors, or an object with to(device)"
    ),
    "knows_what_its_samples_say": Reason(
        "splits and samplers go by what it says of all rows ahead, and training by the samples",
        "make both of the same list",
    ),
    # decoders, targets, masks
    "makes_a_row_for_each_token": Reason(
        "the loss compares row by row with the targets",
        "return (K, width) of the tokens that are wanted, in their order",
    ),
    "leaves_its_input_alone": _INPUT,
    "does_not_see_what_was_hidden": Reason(
        "a prediction that can be copied teaches nothing: the loss falls to nearly zero, the encoder stays as it was",
        "put the learnt token in place of the hidden ones before the first layer that mixes tokens",
    ),
    "rows_are_apart": _ROWS,
    "tells_places_apart": Reason(
        "all hidden tokens of a row would be predicted alike, as their mean", "add positions to the hidden tokens"
    ),
    "its_parameters_learn": _WEIGHTS,
    "comes_back_from_its_state": _STATE,
    "runs_in_mixed_precision": Reason(
        "on a GPU training is in bf16 unless the recipe says otherwise",
        "cast what comes in to the type of the weights, and compute sums of exponentials in fp32",
    ),
    "says_what_it_makes": _WHAT_IT_SAYS,
    "is_the_same_each_time": Reason(
        "a target that moves by itself has no mean that could be learnt",
        "draw its weights by the seed, and nothing later",
    ),
    "padding_changes_nothing": _PADDING,
    "weights_are_saved_and_not_trained": Reason(
        "a resumed run would learn other targets; a target that is trained makes itself easy",
        "keep them as buffers, or as parameters with requires_grad = False",
    ),
    "returns_hidden": Reason(
        "encoder, decoder and loss read its shapes", "return coview.Hidden with a mask of the layout's shape"
    ),
    "hides_some_and_leaves_some": Reason(
        "without a hidden token there is nothing to predict, and without a seen one nothing to predict it from",
        "hide at least one and at most all but one of the real tokens of each row",
    ),
    "a_row_is_a_function_of_its_sample": _KEY,
    "differs": Reason(
        "the network would learn to predict the same places only", "draw from the rng that it is given, for each row"
    ),
    "leaves_global_generators_alone": _GENERATORS,
    # encoders
    "is_a_module_with_a_width": _WIDTH,
    "encodes_into_its_width": Reason(
        "projector and evaluators take (N, width), and one number that is not finite ends a run",
        "return coview.Encoding(pooled_ND=…) of the width that it says",
    ),
    "is_still_in_evaluation_mode": _EVALUATION,
    "rows_can_be_selected": Reason(
        "the gradient cache and shuffled batches encode some rows at a time",
        "move all that belongs to a row in select(rows), its edges included",
    ),
    "every_weight_learns": _WEIGHTS,
    "fits_the_same_twice": Reason(
        "each process fits for itself, and a resumed run loads what was fitted",
        "sort what is counted, and draw nothing",
    ),
    "can_be_tried_out": _META,
    "says_which_tokens_it_has": _WHAT_IT_SAYS,
    "leaves_its_batch_and_mask_alone": _INPUT,
    "encodes_the_same_where_nothing_is_hidden": Reason(
        "training and evaluation would see two encoders", "use one path for both, and apply the mask where there is one"
    ),
    "hides_in_every_way_it_says": Reason(
        "a mask that has no effect trains an encoder that sees all it has to predict",
        "apply the mask in each of the ways in hides, or remove the way",
    ),
    "does_not_see_what_is_hidden": Reason(
        "what leaks through a convolution or a norm can be copied, and is not learnt",
        "put the learnt token in, or drop the token, before anything mixes tokens",
    ),
    "padding_changes_nothing_beside_hidden_tokens": _PADDING,
    "shows_each_token_where_it_is": Reason(
        "the pictures of hidden and predicted tokens would show other places", "draw token i at the place of token i"
    ),
    # evaluators
    "says_what_it_needs": _WHAT_IT_SAYS,
    "finds_results": Reason(
        "tables and comparisons join numbers by metric, protocol and split",
        "return a list of coview.Result, each with all that defines it in protocol",
    ),
    "is_a_function_of_features_and_rng": Reason(
        "the encoder would not be measured like its controls", "draw from rng, and train from weights that rng draws"
    ),
    "leaves_features_alone": _INPUT,
    "order_of_test_items_means_nothing": Reason(
        "items of one class often lie together, and ties would be broken in their favour",
        "break ties by something else than position, or share them",
    ),
    "per_item_has_the_mean_of_the_number": Reason(
        "a comparison resamples the items, and its interval would be around another number",
        "give per_item values whose mean is the value, or none",
    ),
    "better_features_have_a_better_number": Reason(
        "a comparison would rank the worst first", 'set better = "lower" where lower is better'
    ),
    "reads_the_rows_that_it_says": Reason(
        "coview embeds the rows of rows_read alone where few are needed; the others are NaN",
        "draw in rows_read as in the call, from the same rng, or leave the split out of what it returns",
    ),
    # losses
    "returns_a_scalar": Reason(
        "there is nothing to descend along", 'return a finite scalar, or a mapping with it as "loss"'
    ),
    "order_of_samples": Reason(
        "the order is random, and on several processes it is another one",
        "find pairs by ids and views, not by position",
    ),
    "shares_of_processes": Reason(
        "on 2 and 4 processes a gather without gradient left 0.54 and 0.53 of the gradient, and no gather had a cosine "
        "of 0.79 and 0.92 with the right one",
        "compute the terms of views.anchors only, against all rows, and divide by their number",
    ),
    "own_rows_alone": Reason(
        "what a loss keeps, such as a centre, would become another on each process, and a checkpoint has that of one; "
        "a process whose samples all lack a modality takes part in the step with no rows",
        "take sums by views.sum and views.log_sum_exp on every process, and count by views.count",
    ),
    "samples_of_equal_id": Reason(
        "equal samples in a batch (captions that repeat, sampling with replacement) are pushed apart as negatives",
        "leave out pairs of equal views.ids and queue_ids",
    ),
    "ids_that_are_known_to_differ": Reason(
        "views.ids_differ is an answer that is there without waiting for a GPU: a batch has it on one process and may "
        "lack it on several, which would train another model",
        "leave out by it only what changes nothing, such as a mask that would be empty",
    ),
    "views_come_together": Reason(
        "code that takes the diagonal as the positive compares a row with itself, and learns nothing",
        "take as the positive the other view of the sample",
    ),
    "low_precision": Reason(
        "exp(1 / T) is infinite in fp16 for a temperature below 0.09, and normalising a row of zeros gives NaN",
        "compute in fp32 with log_softmax or logsumexp, and limit norms from below",
    ),
    "odd_batches": Reason(
        "one such batch in a long run makes all weights NaN", "limit norms and variances from below before dividing"
    ),
    "state_is_saved": Reason(
        "a resumed run would begin with an empty centre, queue or step count", "keep it in buffers"
    ),
    "parameters_learn": _WEIGHTS,
    "scheduled_parameters": Reason(
        "a recipe can schedule such a value, and the loss would go on with the first one",
        "read self.NAME in forward, and derive nothing from it in the constructor",
    ),
    # modalities
    "has_what_a_modality_has": _WHAT_IT_SAYS,
    "a_batch_has_a_row_for_each_value": Reason(
        "rows are matched with ids, labels and the other view by their number",
        "stack or pad the values, one row for each",
    ),
    "is_a_function_of_its_values": Reason(
        "loader processes get a pickled copy, and would make other batches", "keep no state between calls"
    ),
    "leaves_values_alone": _INPUT,
    "raw_features_are_rows_of_numbers": Reason(
        "the raw control is measured with them, beside every number of a run",
        "return finite float32 of (N, F), each row of its own value",
    ),
    "a_value_can_be_shown": Reason(
        "reports and TensorBoard show samples of every modality", "return a line of text, and HTML"
    ),
    "the_device_can_finish": Reason(
        "training would see other numbers than evaluation", "make collate of collate_raw and finish"
    ),
    "lengths_and_summaries_are_what_they_say": _WHAT_IT_SAYS,
    # optimisers, schedules, samplers
    "makes_a_torch_optimizer": Reason(
        "schedules, freezing and checkpoints work on torch.optim.Optimizer",
        "pass the groups on to the constructor of torch.optim.Optimizer",
    ),
    "goes_down": Reason("a step in the wrong direction trains nothing", "subtract the rate times the direction"),
    "leaves_what_has_no_gradient": Reason(
        "a group that is frozen for a time would move by decay or momentum", "skip parameters whose grad is None"
    ),
    "heeds_the_rate": Reason(
        "a warm-up and every schedule set the rate before each step",
        'read group["lr"] in step, and not in the constructor',
    ),
    "heeds_what_a_group_says": Reason(
        "biases and norms are in a group without weight decay", "read every setting of the group in step"
    ),
    "makes_whole_batches": Reason(
        "a sample twice in a batch is its own negative, and a short batch changes the number of negatives",
        "leave the rest of an epoch out, and draw without replacement",
    ),
    "is_a_function_of_seed_and_epoch": Reason(
        "each process asks for itself, and a resumed run begins in the middle", "draw from the rng that it is given"
    ),
    "draws_anew_for_each_epoch_and_seed": Reason(
        "the same samples would always be negatives of each other", "draw from the rng that it is given, in each epoch"
    ),
    "gives_a_share": Reason("the rate is multiplied by it", "return a finite number of at least 0"),
    "is_a_function_of_the_moment": Reason(
        "a resumed run begins in the middle, and would get another rate", "compute from the moment, and count nothing"
    ),
    # projectors
    "maps_rows_to_its_width": _WIDTH,
    "leaves_its_rows_alone": _INPUT,
    "rows_stand_for_themselves": _ROWS,
    # resources
    "writes_files_into_the_folder": Reason(
        "an empty folder counts as fetched, and a data set then finds nothing", "write into the folder that it is given"
    ),
    "writes_the_same_again": Reason(
        "numbers are bound to the files", "fetch one version by its address and compare its checksum"
    ),
}
