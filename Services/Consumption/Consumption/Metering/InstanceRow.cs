namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// A process that forwards calls. It lives as long as it holds the advisory lock <see cref="LockId"/>; once that is free and
/// <see cref="SeenAt"/> is old, whoever sweeps may settle its open calls as lost, and marks it ended: it can admit no more.
/// </summary>
internal sealed class InstanceRow
{
    public required Guid InstanceId { get; init; }

    public long LockId { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset SeenAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>An organisation for which an instance admitted calls: its counters may hold a reservation without a row if that instance dies.</summary>
internal sealed class InstanceOrganisation
{
    public required Guid InstanceId { get; init; }

    public required Guid OrganisationId { get; init; }
}

/// <summary>Which counters in Redis are true for an organisation.</summary>
internal sealed class CounterGeneration
{
    public required Guid OrganisationId { get; init; }

    public long Generation { get; init; }

    /// <summary>Run id of the Redis server that was given them: another run may have come back with old ones.</summary>
    public required string RedisRun { get; init; }
}
