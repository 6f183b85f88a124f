using System.Collections.Frozen;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>The services that a setting is for, as <c>provider/service</c>; without any it is for all.</summary>
internal static class NamedServices
{
    /// <summary>Every instance keeps them in memory.</summary>
    public const int Max = 100;

    /// <summary>To look in; null: all.</summary>
    public static FrozenSet<string>? Of(string[] services) => services.Length == 0 ? null : services.ToFrozenSet(StringComparer.Ordinal);

    /// <param name="services">As they were given in the member <c>services</c>.</param>
    /// <param name="withoutAny">What holds when none is named, as the end of a sentence.</param>
    public static IEnumerable<Issue> Check(IReadOnlyList<string> services, string withoutAny)
    {
        if (services.Count > Max)
        {
            yield return new Issue("too_many_services", "/services", $"At most {Max} services can be named; without any {withoutAny}.");
        }

        for (var i = 0; i < services.Count; i++)
        {
            if (!ModelName.TryParse(services[i], out var name) || name.Version is not null)
            {
                yield return new Issue("invalid_service", $"/services/{i}", "A service is named `provider/service`, without version.");
            }
        }
    }
}
