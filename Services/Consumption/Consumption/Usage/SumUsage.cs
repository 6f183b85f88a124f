using System.Globalization;
using System.Runtime.CompilerServices;
using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.Contracts;
using Npgsql;

namespace LlmMarketplace.Consumption.Usage;

/// <summary>By what usage is summed apart.</summary>
/// <param name="Name">As callers write it.</param>
/// <param name="Key">SQL of a group's key, as text.</param>
/// <param name="TagName">Of which tag; null: of all, each with its value.</param>
internal sealed record UsageGroup(string Name, string Key, string? TagName = null)
{
    private const string TagPrefix = "tag:";

    private static readonly UsageGroup[] Plain =
    [
        new("day", "day::text"),
        new("service", "service"),
        new("key", "key_id::text"),
        new("model", "service || coalesce('@' || service_version, '')"),
        new("tag", "tag.key || '=' || tag.value"),
        new("endUser", "end_user"),
        new("outcome", "outcome"),
    ];

    public const string Choices = "day, service, key, model, tag, tag:NAME, endUser or outcome";

    public static UsageGroup? Find(string name) =>
        name.StartsWith(TagPrefix, StringComparison.Ordinal) && name[TagPrefix.Length..] is var tag && Tags.IsName(tag) ? new UsageGroup("tag", "", tag)
        : Array.Find(Plain, group => group.Name == name);

    /// <summary>Which records are summed; a call with several tags is there once for each.</summary>
    public string From => Name == "tag" && TagName is null ? "usage_records LEFT JOIN LATERAL jsonb_each_text(tags) AS tag ON true" : "usage_records";
}

/// <summary>Sums records by group, in the order of the groups' keys; those that have none come last.</summary>
internal sealed class SumUsage(NpgsqlDataSource database)
{
    private const string Sums =
        """
        count(*), count(*) FILTER (WHERE outcome = 'Completed'), coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(cached_input_tokens), 0)::bigint,
        coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost), 0)
        """;

    /// <summary>All together, and one page of the groups, as they were at one moment.</summary>
    /// <param name="where">The conditions, and their values.</param>
    /// <param name="group">By what.</param>
    /// <param name="after">The group before the page, or null.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    public async Task<(GetUsage.Item Total, List<GetUsage.Item> Items)> PageAsync(UsageWhere where, UsageGroup group, string? after, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var snapshot = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        await using var batch = new NpgsqlBatch(connection, snapshot);
        var total = new NpgsqlBatchCommand();
        total.CommandText = $"SELECT NULL::text, {Sums} FROM usage_records WHERE {where(total.Parameters)}";
        var groups = new NpgsqlBatchCommand();
        groups.CommandText = Select(where, group, after, limit, groups.Parameters);
        batch.BatchCommands.Add(total);
        batch.BatchCommands.Add(groups);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var all = Read(reader, null);
        await reader.NextResultAsync(cancellationToken);
        var items = new List<GetUsage.Item>();
        while (await reader.ReadAsync(cancellationToken))
        {
            items.Add(Read(reader, group));
        }

        return (all, items);
    }

    /// <summary>All groups, one after the other, as the database gives them.</summary>
    public async IAsyncEnumerable<GetUsage.Item> StreamAsync(UsageWhere where, UsageGroup group, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var select = database.CreateCommand();
        select.CommandText = Select(where, group, null, null, select.Parameters);
        await using var reader = await select.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            yield return Read(reader, group);
        }
    }

    private static string Select(UsageWhere where, UsageGroup group, string? after, int? limit, NpgsqlParameterCollection parameters)
    {
        var conditions = where(parameters);
        var key = group.TagName is { } tag ? $"tags ->> {Add(tag)}" : group.Key;
        var page = after is null ? "" : $" WHERE name COLLATE \"C\" > {Add(after)} OR name IS NULL";
        var size = limit is { } most ? $" LIMIT {Add(most)}" : "";
        return $"SELECT * FROM (SELECT {key} AS name, {Sums} FROM {group.From} WHERE {conditions} GROUP BY 1) AS sums{page} ORDER BY name COLLATE \"C\" NULLS LAST{size}";

        string Add(object value)
        {
            parameters.Add(new NpgsqlParameter { Value = value });
            return "$" + parameters.Count;
        }
    }

    private static GetUsage.Item Read(NpgsqlDataReader reader, UsageGroup? group)
    {
        var name = reader.IsDBNull(0) ? null : reader.GetString(0);
        var item = new GetUsage.Item(
            null, null, null, reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetInt64(5), reader.GetDecimal(6), null, null, null, null, name);
        return name is null ? item : group?.Name switch
        {
            "day" => item with { Day = DateOnly.ParseExact(name, "yyyyMMdd", CultureInfo.InvariantCulture) },
            "service" => item with { Service = name },
            "key" => item with { Key = Guid.Parse(name) },
            "model" => item with { Model = name },
            "tag" => item with { Tag = group.TagName is null ? name : $"{group.TagName}={name}" },
            "endUser" => item with { EndUser = name },
            "outcome" => item with { Outcome = Enum.Parse<RequestOutcome>(name) },
            _ => item,
        };
    }
}

/// <summary>Conditions after WHERE, whose values are added to a command's parameters.</summary>
internal delegate string UsageWhere(NpgsqlParameterCollection parameters);
