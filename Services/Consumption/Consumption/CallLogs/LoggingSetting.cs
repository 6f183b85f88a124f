using System.Collections.Frozen;
using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>How an organisation's calls are logged.</summary>
/// <param name="DaysKept">How long a logged call is kept, in days.</param>
/// <param name="Share">Which share of the calls is logged, 0 to 1; they are drawn by chance.</param>
/// <param name="Services">Calls of which services, as <c>provider/service</c>; empty: of all.</param>
/// <param name="Patterns">Regular expressions of what is redacted besides what always is.</param>
/// <param name="ChangedBy">Subject who set it last.</param>
/// <param name="ChangedAt">When.</param>
internal sealed record LoggingSetting(int DaysKept, double Share, IReadOnlyList<string> Services, IReadOnlyList<string> Patterns, string ChangedBy, DateTimeOffset ChangedAt);

/// <summary>A setting as it is kept; without days once it was switched off, for mirrors follow changes, not absences.</summary>
internal sealed class LoggingSettingRow
{
    public required Guid OrganisationId { get; init; }

    public int? DaysKept { get; set; }

    public required double Share { get; set; }

    public required string[] Services { get; set; }

    public required string[] Patterns { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    /// <summary>What ended before is not to be kept any more; by PostgreSQL's clock.</summary>
    public DateTimeOffset? ErasedAt { get; set; }

    public LoggingSetting? Setting => DaysKept is { } days ? new LoggingSetting(days, Share, Services, Patterns, ChangedBy, ChangedAt) : null;
}

/// <summary>What calls know of a setting.</summary>
/// <param name="Share">Which share of the calls is logged.</param>
/// <param name="Services">Of which services; null: of all.</param>
/// <param name="Redaction">Takes out what is not to be kept.</param>
internal sealed record LoggingPolicy(double Share, FrozenSet<string>? Services, Redaction Redaction);

/// <summary>Keeps the settings of those who switched it on as PostgreSQL has them.</summary>
internal sealed class LoggingSettingMirror(OptedIn<LoggingPolicy> policies) : TableMirror<(Guid Organisation, LoggingPolicy? Policy)>
{
    public override string Table => "call_logging_settings";

    public override string Columns => "organisation_id, days_kept, share, services, patterns";

    public override (Guid Organisation, LoggingPolicy? Policy) Read(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(1))
        {
            return (reader.GetGuid(0), null);
        }

        return (reader.GetGuid(0), new LoggingPolicy(
            reader.GetDouble(2), NamedServices.Of(reader.GetFieldValue<string[]>(3)), new Redaction([.. reader.GetFieldValue<string[]>(4).Select(LoggingRules.Compile)])));
    }

    public override void Apply(IReadOnlyList<(Guid Organisation, LoggingPolicy? Policy)> changed) => policies.Apply(changed);
}

/// <summary>What a setting may be.</summary>
internal static class LoggingRules
{
    public const int DefaultDays = 30;
    public const int MaxDays = 90;

    public const int MaxPatterns = 20;
    public const int MaxPatternLength = 500;

    /// <summary>A pattern whose time grows with the text alone, whatever it says.</summary>
    /// <exception cref="ArgumentException">It is not a regular expression.</exception>
    /// <exception cref="NotSupportedException">It needs backtracking, or is too large without.</exception>
    public static Regex Compile(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    public static IEnumerable<Issue> Check(int days, double share, IReadOnlyList<string> services, IReadOnlyList<string> patterns)
    {
        if (days is < 1 or > MaxDays)
        {
            yield return new Issue("invalid_days_kept", "/daysKept", $"Calls can be kept for 1 to {MaxDays} days.");
        }

        if (!(share is >= 0 and <= 1))
        {
            yield return new Issue("invalid_share", "/share", "The share of calls must lie between 0 and 1.");
        }

        foreach (var issue in NamedServices.Check(services, "calls of all are logged"))
        {
            yield return issue;
        }

        if (patterns.Count > MaxPatterns)
        {
            yield return new Issue("too_many_patterns", "/patterns", $"At most {MaxPatterns} patterns can be given.");
            yield break;
        }

        for (var i = 0; i < patterns.Count; i++)
        {
            if (Problem(patterns[i]) is { } problem)
            {
                yield return new Issue("invalid_pattern", $"/patterns/{i}", problem);
            }
        }
    }

    private static string? Problem(string? pattern)
    {
        if (pattern is not { Length: > 0 and <= MaxPatternLength })
        {
            return $"A pattern has 1 to {MaxPatternLength} characters.";
        }

        try
        {
            return Compile(pattern).IsMatch("") ? "The pattern matches the empty text, and so would mean nothing or everything." : null;
        }
        catch (ArgumentException wrong)
        {
            return $"The pattern is not a regular expression of .NET: {wrong.Message}";
        }
        catch (NotSupportedException unsupported)
        {
            return $"The pattern cannot be matched without backtracking (no look-around, back references or atomic groups, and no very large repetitions): {unsupported.Message}";
        }
    }
}
