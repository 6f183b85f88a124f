namespace LlmMarketplace.Consumption.Metering;

/// <summary>What a usage record said before its call's outcome was known after all. Never removed, and changed only when an end user's id is erased.</summary>
internal sealed class UsageCorrection
{
    public required Guid RequestId { get; init; }

    /// <summary>Of the record that took its place.</summary>
    public required int Revision { get; init; }

    public required DateTimeOffset CorrectedAt { get; init; }

    /// <summary>The whole record as it stood, JSON by column.</summary>
    public required string Before { get; init; }
}

/// <summary>Up to where a usage log is in the records: moved in the transaction that takes them in.</summary>
internal sealed class UsageLogPosition
{
    public required Guid LogId { get; init; }

    public required long Sequence { get; init; }
}

/// <summary>Which log an instance writes: whoever holds the log's folder knows that the instance is dead.</summary>
internal sealed class InstanceLog
{
    public required Guid InstanceId { get; init; }

    public required Guid LogId { get; init; }
}
