using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Usage;

/// <summary>Which calls are summed; all that is given must hold.</summary>
/// <param name="From">Admitted at or after this moment; the beginning of the month, in UTC, unless given.</param>
/// <param name="To">And before this one; now unless given.</param>
/// <param name="Key">Made with this key.</param>
/// <param name="Service">Of this service: <c>provider/service</c>.</param>
/// <param name="Tag">With this tag: <c>name=value</c>, or <c>name</c> for any value.</param>
/// <param name="EndUser">Made for this end user.</param>
/// <param name="Outcome">That ended like this.</param>
internal sealed record UsageFilter(
    [property: Description("Calls admitted at or after this moment; the beginning of the month, in UTC, unless given.")] DateTimeOffset? From = null,
    [property: Description("And before this one; now unless given.")] DateTimeOffset? To = null,
    [property: Description("Calls made with this key.")] Guid? Key = null,
    [property: Description("Calls of this service: `provider/service`.")] string? Service = null,
    [property: Description("Calls with this tag: `name=value`, or `name` for any value.")] string? Tag = null,
    [property: Description("Calls made for this end user.")] string? EndUser = null,
    [property: Description("Calls that ended like this: `completed`, `failed`, `refused-by-provider`, `cut`, `abandoned` or `lost`.")] string? Outcome = null)
{
    /// <summary>What is wrong with it.</summary>
    public IEnumerable<Issue> Check()
    {
        if (Tag is not null && !Tags.IsName(Tag) && !Tags.TryParseOne(Tag, out _, out _))
        {
            yield return new Issue("invalid_tag", "", "`tag` must be `name=value`, or the name alone.");
        }

        if (EndUser is not null && EndUserId.Problem(EndUser) is { } problem)
        {
            yield return new Issue("invalid_end_user", "", problem);
        }

        if (Outcome is not null && UsageOutcomes.TryParse(Outcome) is null)
        {
            yield return new Issue("invalid_outcome", "", $"`outcome` must be one of {string.Join(", ", UsageOutcomes.Names)}.");
        }

        if (From >= To)
        {
            yield return new Issue("invalid_range", "", "`from` must lie before `to`.");
        }
    }

    /// <summary>The conditions, after WHERE; their values go to the parameters.</summary>
    public string Where(UsageScope scope, DateTimeOffset begin, DateTimeOffset end, NpgsqlParameterCollection parameters)
    {
        List<string> where = [$"organisation_id = {Add(scope.Organisation)}", $"admitted_at >= {Add(begin)}", $"admitted_at < {Add(end)}"];
        if (scope.Key is { } own)
        {
            where.Add($"key_id = {Add(own)}");
        }

        if (Key is { } key)
        {
            where.Add($"key_id = {Add(key)}");
        }

        if (Service is not null)
        {
            where.Add($"service = {Add(Service)}");
        }

        if (Tag is not null)
        {
            where.Add(Tags.TryParseOne(Tag, out var name, out var value) ? $"tags ->> {Add(name)} = {Add(value)}" : $"tags ? {Add(Tag)}");
        }

        if (EndUser is not null)
        {
            where.Add($"end_user = {Add(EndUser)}");
        }

        if (Outcome is not null)
        {
            where.Add($"outcome = {Add(UsageOutcomes.TryParse(Outcome)!.Value.ToString())}");
        }

        return string.Join(" AND ", where);

        string Add(object filter)
        {
            parameters.Add(filter is DateTimeOffset time ? new NpgsqlParameter { Value = time, NpgsqlDbType = NpgsqlDbType.TimestampTz } : new NpgsqlParameter { Value = filter });
            return "$" + parameters.Count;
        }
    }
}

/// <summary>Outcomes by the names that the API gives them.</summary>
internal static class UsageOutcomes
{
    private static readonly Dictionary<string, RequestOutcome> ByName = Enum.GetValues<RequestOutcome>().ToDictionary(NameOf, StringComparer.Ordinal);

    public static IEnumerable<string> Names => ByName.Keys;

    public static RequestOutcome? TryParse(string name) => ByName.TryGetValue(name, out var outcome) ? outcome : null;

    public static string NameOf(RequestOutcome outcome) => System.Text.Json.JsonSerializer.SerializeToElement(outcome, Json.Options).GetString()!;
}
