"""What AI is registered, what it was asked, and what it found."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pacs.models import Series, Study


class ModelState(models.TextChoices):
    """Shadow models run and are measured, and no reader sees them."""

    DRAFT = "draft", "Draft"
    SHADOW = "shadow", "Shadow"
    LIVE = "live", "Live"
    RETIRED = "retired", "Retired"


class ModelKind(models.TextChoices):
    """What a bundle answers with: a map of voxels, a probability for a whole input, or boxes."""

    SEGMENTATION = "segmentation", "Segmentation"
    CLASSIFICATION = "classification", "Classification"
    DETECTION = "detection", "Detection"


class ModelVersion(models.Model):
    """One version of one MONAI bundle, pinned by hash."""

    name = models.SlugField(max_length=64)
    version = models.CharField(max_length=32)
    bundle = models.CharField(
        max_length=200, help_text="Folder of the bundle, relative to the bundles folder."
    )
    weights_sha256 = models.CharField(max_length=64)
    configs_sha256 = models.CharField(
        max_length=64, help_text="Over all config files, in order of their names."
    )
    state = models.CharField(max_length=16, choices=ModelState.choices, default=ModelState.DRAFT)
    intended_use = models.TextField(blank=True)
    finding_code = models.CharField(max_length=32)
    finding_scheme = models.CharField(max_length=16, default="SCT")
    finding_meaning = models.CharField(max_length=120)
    criticality = models.CharField(max_length=16, default="critical", help_text="critical, urgent or normal.")
    rank_threshold = models.FloatField(help_text="From this probability a finding raises the study.")
    alert_threshold = models.FloatField(help_text="From this probability a finding alerts.")
    config = models.JSONField(default=dict, help_text="configs/firstread.json as registered.")
    kind = models.CharField(
        max_length=16, choices=ModelKind.choices, default=ModelKind.SEGMENTATION, help_text="What it answers."
    )
    source = models.CharField(max_length=500, blank=True, help_text="Where the bundle came from.")
    state_changed_at = models.DateTimeField(null=True, blank=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="triage_model_version_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class ModelDecision(models.Model):
    """Who moved a model version, or agreed that it may go live, when and why; never changed."""

    class Action(models.TextChoices):
        REGISTERED = "registered", "Registered"
        APPROVED = "approved", "Approved"
        MOVED = "moved", "Moved"

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="decisions")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    action = models.CharField(max_length=16, choices=Action.choices)
    from_state = models.CharField(max_length=16, choices=ModelState.choices, blank=True)
    to_state = models.CharField(max_length=16, choices=ModelState.choices, blank=True)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="triage_decision_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.get_action_display()}"


class RoutingRule(models.Model):
    """Which series a model is meant for; conditions are data, see triage/routing.py."""

    model = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=120)
    conditions = models.JSONField(default=dict)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class TriagePlan(models.Model):
    """What was decided for a complete study, also when no model is meant for it."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="triage_plan")
    study_completed_at = models.DateTimeField(help_text="The completion that this plan answers.")
    planned_at = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True, help_text="Why no model looks at the study.")
    considered = models.JSONField(default=list, help_text="By model: every series and why it was not chosen.")

    def __str__(self) -> str:
        return f"Plan {self.pk}"


class RunState(models.TextChoices):
    """The life of a run; `stale` means newer input exists and another run answers for it."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    NOT_ANALYSED = "not_analysed", "Not analysed"
    STALE = "stale", "Stale"


ACTIVE_RUN_STATES = (RunState.WAITING, RunState.RUNNING)
FINAL_RUN_STATES = (RunState.DONE, RunState.FAILED, RunState.NOT_ANALYSED)


class Outcome(models.TextChoices):
    """What a done run says; never more than this model's view."""

    POSITIVE = "positive", "Possible finding"
    NEGATIVE = "negative", "Nothing found by this model"


class TriageRun(models.Model):
    """One model on one exact input: unique, leased to one worker, counted attempts."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="triage_runs")
    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, null=True, blank=True, related_name="triage_runs"
    )
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="runs")
    input_hash = models.CharField(
        max_length=64, help_text="SHA-256 over the sorted input instances and their hashes."
    )
    input_instance_uids = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.WAITING)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, blank=True)
    reason = models.CharField(
        max_length=500, blank=True, help_text="Why not analysed, failed or stale, in words."
    )
    probability = models.FloatField(null=True, blank=True)
    weights_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of the weights that were really loaded."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    model_state = models.CharField(
        max_length=16,
        choices=ModelState.choices,
        blank=True,
        help_text="The model's state when the run was planned: a shadow run stays unseen when it goes live.",
    )
    lease_token = models.CharField(max_length=36, blank=True)
    lease_holder = models.CharField(max_length=120, blank=True, help_text="Host, process id, its start.")
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    timings = models.JSONField(default=dict, help_text="Seconds by step.")
    runtime = models.CharField(
        max_length=32, blank=True, help_text="What computed it: torch, openvino, cuda."
    )
    urgency = models.PositiveSmallIntegerField(
        default=0, help_text="0 routine, 1 ASAP, 2 STAT or emergency: the more urgent is taken first."
    )
    provisional = models.BooleanField(
        default=False, help_text="Read before the study was complete; a later run answers for all of it."
    )
    seg_sop_instance_uid = models.CharField(max_length=64, blank=True)
    seg_series_instance_uid = models.CharField(max_length=64, blank=True)
    sr_sop_instance_uid = models.CharField(max_length=64, blank=True)
    documents_attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often SEG and SR of the result were begun; see triage/filing.py."
    )
    documents_attempted_at = models.DateTimeField(null=True, blank=True)
    documents_reason = models.CharField(
        max_length=200, blank=True, help_text="Why SEG and SR of the result are not in the archive, in words."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "model", "input_hash"], name="triage_one_run_per_input"),
        ]
        indexes = [models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"Run {self.pk}"


class Comparison(models.TextChoices):
    """A finding against the same patient's newest earlier study that the same kind of model answered."""

    NEW = "new", "New since the prior"
    KNOWN = "known", "Known, not grown"
    GROWN = "grown", "Known, grown"
    NOT_COMPARED = "not_compared", "Could not be compared"


class Finding(models.Model):
    """What a run says about its target: present with a probability, or absent. Never a diagnosis."""

    class Presence(models.TextChoices):
        PRESENT = "present", "Possible"
        ABSENT = "absent", "Nothing found by this model"

    run = models.ForeignKey(TriageRun, on_delete=models.CASCADE, related_name="findings")
    tracking_uid = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=64, blank=True, help_text="The target's name in the bundle.")
    subtype = models.CharField(max_length=64, blank=True)
    criticality = models.CharField(max_length=16, blank=True, help_text="As the bundle said at the time.")
    rank_threshold = models.FloatField(null=True, blank=True, help_text="As it stood at the time.")
    alert_threshold = models.FloatField(null=True, blank=True, help_text="As it stood at the time.")
    code = models.CharField(max_length=32)
    scheme = models.CharField(max_length=16)
    meaning = models.CharField(max_length=120)
    presence = models.CharField(max_length=16, choices=Presence.choices)
    probability = models.FloatField()
    probability_method = models.CharField(
        max_length=120, blank=True, help_text="How the model's output became a probability."
    )
    volume_ml = models.FloatField(null=True, blank=True)
    largest_diameter_mm = models.FloatField(null=True, blank=True)
    side = models.CharField(max_length=16, blank=True, help_text="left, right, midline or both.")
    slice_from = models.PositiveIntegerField(
        null=True, blank=True, help_text="1 is the lowest slice by position."
    )
    slice_to = models.PositiveIntegerField(null=True, blank=True)
    key_sop_instance_uid = models.CharField(max_length=64, blank=True)
    key_series_instance_uid = models.CharField(max_length=64, blank=True)
    segment_number = models.PositiveSmallIntegerField(null=True, blank=True)
    midline_shift_mm = models.FloatField(null=True, blank=True)
    midline_shift_uncertainty_mm = models.FloatField(null=True, blank=True)
    centroid_lps_mm = models.JSONField(null=True, blank=True, help_text="Patient coordinates [x, y, z].")
    box_lps_mm = models.JSONField(
        null=True, blank=True, help_text="Two corners [x, y, z, x, y, z] in patient coordinates."
    )
    comparison = models.CharField(
        max_length=16, choices=Comparison.choices, blank=True, help_text="Against the newest analysed prior."
    )
    prior_finding = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="later_findings"
    )
    growth_ml = models.FloatField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.meaning}: {self.get_presence_display()}"

    @property
    def matters(self) -> str:
        """Critical, urgent or normal; as the model says where the finding does not."""
        return self.criticality or self.run.model.criticality

    @property
    def ranks_from(self) -> float:
        """From this probability the finding raises its study."""
        own = self.rank_threshold
        return self.run.model.rank_threshold if own is None else own

    @property
    def alerts_from(self) -> float:
        """From this probability the finding alerts."""
        own = self.alert_threshold
        return self.run.model.alert_threshold if own is None else own
