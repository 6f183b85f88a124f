using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Aliases;

/// <summary>What an organisation calls a model: a bare name that stands for a listing, a version range or a preference.</summary>
/// <param name="Name">As calls write it: <c>gpt-4o</c>.</param>
/// <param name="Target">What it stands for: <c>acme/chat</c>, <c>acme/chat@1.2</c>, <c>cheapest/embeddings</c>.</param>
/// <param name="ChangedBy">Subject who set it last.</param>
/// <param name="ChangedAt">When.</param>
internal sealed record Alias(string Name, string Target, string ChangedBy, DateTimeOffset ChangedAt);

/// <summary>An alias as it is kept; without target once it was taken back, for mirrors follow changes, not absences.</summary>
internal sealed class AliasRow
{
    public required Guid OrganisationId { get; init; }

    public required string Name { get; init; }

    public string? Target { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    public Alias? Alias => Target is null ? null : new Alias(Name, Target, ChangedBy, ChangedAt);
}

/// <summary>All aliases, in memory.</summary>
internal sealed class AliasMirror(Catalogue.Catalogue catalogue) : TableMirror<(Guid Organisation, string Name, Alias? Alias)>
{
    public override string Table => "aliases";

    public override string Columns => "organisation_id, name, target, changed_by, changed_at";

    public override (Guid Organisation, string Name, Alias? Alias) Read(NpgsqlDataReader reader) => (
        reader.GetGuid(0),
        reader.GetString(1),
        reader.IsDBNull(2) ? null : new Alias(reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetFieldValue<DateTimeOffset>(4)));

    public override void Apply(IReadOnlyList<(Guid Organisation, string Name, Alias? Alias)> changed) => catalogue.Apply(changed);
}

/// <summary>What an alias may be.</summary>
internal static partial class AliasRules
{
    /// <summary>How many an organisation may have: every instance keeps them in memory.</summary>
    public const int MaxAliases = 1_000;

    public static IEnumerable<Issue> Check(string name, string? target)
    {
        if (!Name().IsMatch(name) || Preference.TryParse(name, out _))
        {
            yield return new Issue("invalid_name", "", "An alias must be a bare name of at most 100 letters, digits, `.`, `_`, `:` or `-`, and none of `cheapest`, `fastest`, `most-available`.");
        }

        if (!Preference.TryParse(target, out _) && !ModelName.TryParse(target, out _))
        {
            yield return new Issue("invalid_target", "/target", "An alias must stand for a service (`provider/service`, with `@version` to hold on to one) or a preference (`cheapest`, `fastest/embeddings` …), never for another alias.");
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,99}\z")]
    private static partial Regex Name();
}
