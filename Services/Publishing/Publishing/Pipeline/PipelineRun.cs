using System.Text.Json.Serialization;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>One way of a version through the pipeline. Its row is the work to do; who works on it holds a lease.</summary>
internal sealed class PipelineRun
{
    public Guid Id { get; init; }

    public Guid ListingId { get; init; }

    public Guid VersionId { get; init; }

    /// <summary>Subject who submitted the version.</summary>
    public required string RequestedBy { get; init; }

    public RunStatus Status { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>Nobody takes it up before.</summary>
    public DateTimeOffset DueAt { get; set; }

    /// <summary>Changes whenever somebody takes the run up: what was done under an older lease is not stored.</summary>
    public Guid? Lease { get; set; }

    /// <summary>By the database's clock, which all instances share.</summary>
    public DateTimeOffset? LeasedUntil { get; set; }

    /// <summary>Number of the last entry of its journal.</summary>
    public int LastEntry { get; set; }

    /// <summary>Why it did not succeed.</summary>
    public IReadOnlyList<Issue> Failure { get; set; } = [];

    public List<PipelineStepRun> Steps { get; init; } = [];

    public bool Ended => Status is RunStatus.Succeeded or RunStatus.Failed;
}

/// <summary>Where a run stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RunStatus>))]
internal enum RunStatus
{
    /// <summary>Steps are being worked on.</summary>
    [JsonStringEnumMemberName("running")] Running,

    /// <summary>Waits for a person.</summary>
    [JsonStringEnumMemberName("waiting")] Waiting,

    /// <summary>Failed; effects of earlier steps are being taken back.</summary>
    [JsonStringEnumMemberName("compensating")] Compensating,

    /// <summary>The version is published.</summary>
    [JsonStringEnumMemberName("succeeded")] Succeeded,

    /// <summary>It is not.</summary>
    [JsonStringEnumMemberName("failed")] Failed,
}

/// <summary>One step of a run.</summary>
internal sealed class PipelineStepRun
{
    public Guid RunId { get; init; }

    public required string Name { get; init; }

    public int Ordinal { get; init; }

    public StepStatus Status { get; set; }

    /// <summary>Attempts that failed. One that a crash cut short does not count.</summary>
    public int FailedAttempts { get; set; }

    public DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>The verdict, for people.</summary>
    public string? Verdict { get; set; }

    public IReadOnlyList<Issue> Issues { get; set; } = [];
}

/// <summary>Where a step stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<StepStatus>))]
internal enum StepStatus
{
    /// <summary>Being worked on, or waiting for its next attempt.</summary>
    [JsonStringEnumMemberName("running")] Running,

    /// <summary>Waits for a person.</summary>
    [JsonStringEnumMemberName("waiting")] Waiting,

    /// <summary>Done.</summary>
    [JsonStringEnumMemberName("succeeded")] Succeeded,

    /// <summary>Was not called for.</summary>
    [JsonStringEnumMemberName("skipped")] Skipped,

    /// <summary>Said no.</summary>
    [JsonStringEnumMemberName("refused")] Refused,

    /// <summary>Ran out of attempts.</summary>
    [JsonStringEnumMemberName("failed")] Failed,

    /// <summary>Was done, and taken back.</summary>
    [JsonStringEnumMemberName("compensated")] Compensated,
}

/// <summary>One entry of a run's journal, as watchers see it. Written with the change that it tells of.</summary>
internal sealed class PipelineEntry
{
    public Guid RunId { get; init; }

    /// <summary>1, 2, 3 … within the run; the id of the server-sent event.</summary>
    public int Number { get; init; }

    public DateTimeOffset Time { get; init; }

    /// <summary><c>run_started</c>, <c>step_started</c>, <c>step_retrying</c>, <c>step_waiting</c>, <c>step_finished</c>, <c>step_compensated</c>, <c>run_finished</c>.</summary>
    public required string Type { get; init; }

    public string? Step { get; init; }

    public int? Attempt { get; init; }

    /// <summary>Wire name of the step's or run's status.</summary>
    public required string Outcome { get; init; }

    public string? Verdict { get; init; }

    public IReadOnlyList<Issue> Issues { get; init; } = [];
}
