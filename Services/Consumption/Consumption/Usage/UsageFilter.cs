using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.Contracts;

namespace LlmMarketplace.Consumption.Usage;

/// <summary>Which calls are summed or listed; all that is given must hold.</summary>
/// <param name="From">Admitted at or after this moment; for sums the beginning of the month, in UTC, unless given.</param>
/// <param name="To">And before this one.</param>
/// <param name="Key">Made with this key.</param>
/// <param name="Service">Of this service: <c>provider/service</c>.</param>
/// <param name="Tag">With this tag: <c>name=value</c>, or <c>name</c> for any value.</param>
/// <param name="EndUser">Made for this end user.</param>
/// <param name="Outcome">That ended like this.</param>
internal sealed record UsageFilter(
    [property: Description("Calls admitted at or after this moment; sums begin with the month, in UTC, unless it is given.")] DateTimeOffset? From = null,
    [property: Description("And before this one.")] DateTimeOffset? To = null,
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

    /// <summary>The conditions, after WHERE.</summary>
    /// <param name="scope">Whose calls.</param>
    /// <param name="add">Adds a value to the parameters, and gives the name that stands for it.</param>
    public string Where(UsageScope scope, Func<object, string> add)
    {
        List<string> where = [$"organisation_id = {add(scope.Organisation)}"];
        if (From is { } begin)
        {
            where.Add($"admitted_at >= {add(begin.ToUniversalTime())}");
        }

        if (To is { } end)
        {
            where.Add($"admitted_at < {add(end.ToUniversalTime())}");
        }

        if (scope.Key is { } own)
        {
            where.Add($"key_id = {add(own)}");
        }

        if (Key is { } key)
        {
            where.Add($"key_id = {add(key)}");
        }

        if (Service is not null)
        {
            where.Add($"service = {add(Service)}");
        }

        if (Tag is not null)
        {
            where.Add(Tags.TryParseOne(Tag, out var name, out var value) ? $"tags ->> {add(name)} = {add(value)}" : $"tags ? {add(Tag)}");
        }

        if (EndUser is not null)
        {
            where.Add($"end_user = {add(EndUser)}");
        }

        if (Outcome is not null)
        {
            where.Add($"outcome = {add(UsageOutcomes.TryParse(Outcome)!.Value.ToString())}");
        }

        return string.Join(" AND ", where);
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
