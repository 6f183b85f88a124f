using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Discovery;

/// <summary>The names of an enum's values on the wire, both ways: what filters take and facets show.</summary>
internal static class Wire<TEnum>
    where TEnum : struct, Enum
{
    private static readonly FrozenDictionary<TEnum, string> Names =
        Enum.GetValues<TEnum>().ToFrozenDictionary(value => value, value => JsonSerializer.SerializeToElement(value, Json.Options).GetString()!);

    private static readonly FrozenDictionary<string, TEnum> Values = Names.ToFrozenDictionary(pair => pair.Value, pair => pair.Key, StringComparer.Ordinal);

    public static IEnumerable<string> All => Enum.GetValues<TEnum>().Select(Name);

    public static string Name(TEnum value) => Names[value];

    public static TEnum Parse(string name) => Values[name];

    public static bool TryParse([NotNullWhen(true)] string? name, out TEnum value)
    {
        value = default;
        return name is not null && Values.TryGetValue(name, out value);
    }
}
