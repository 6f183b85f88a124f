using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// A process that forwards calls, in one of its epochs. It says that it lives here and in Redis (<see cref="InstanceLease"/>); once neither place has heard of it for long, or whoever
/// has its log knows that it is dead, it is marked ended: it admits no more, and its open calls are lost.
/// </summary>
internal sealed class InstanceRow
{
    public required Guid InstanceId { get; init; }

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

    /// <summary>Up to which generation of the organisation's counters it told its calls.</summary>
    public long ReportedGeneration { get; init; }

    /// <summary>Notes organisations for an instance; those that are noted stay as they are.</summary>
    public static async Task NoteAsync(NpgsqlDataSource database, Guid instance, IEnumerable<Guid> organisations, CancellationToken cancellationToken)
    {
        await using var note = database.CreateCommand("INSERT INTO instance_organisations (instance_id, organisation_id) SELECT $1, unnest($2) ON CONFLICT DO NOTHING");
        note.Parameters.Add(new NpgsqlParameter { Value = instance });
        note.Parameters.Add(new NpgsqlParameter { Value = organisations.ToArray() });
        await note.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>Which counters in Redis are true for an organisation.</summary>
internal sealed class CounterGeneration
{
    public required Guid OrganisationId { get; init; }

    public long Generation { get; init; }

    /// <summary>Run id of the Redis server that was given them: another run may have come back with old ones.</summary>
    public required string RedisRun { get; init; }

    /// <summary>Whether they are built; until then nobody admits.</summary>
    public bool Ready { get; init; }

    /// <summary>Whether end users have accounts among them.</summary>
    public bool TracksEndUsers { get; init; }
}
