using System.Diagnostics.CodeAnalysis;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>By what a service is chosen when the caller names none.</summary>
internal enum PreferenceKind
{
    /// <summary>The least that this very call can cost at most.</summary>
    Cheapest,

    /// <summary>The shortest time to an answer, as this instance sees it; as promised where it has seen none.</summary>
    Fastest,

    /// <summary>The highest promised availability.</summary>
    MostAvailable,
}

/// <summary>
/// What callers write as <c>model</c> to have one chosen: <c>cheapest</c>, <c>fastest</c> or <c>most-available</c>, of all that they may call this way, or of one category:
/// <c>cheapest/embeddings</c>.
/// </summary>
/// <param name="Kind">By what.</param>
/// <param name="Category">Of which category; null: of all.</param>
internal readonly record struct Preference(PreferenceKind Kind, string? Category)
{
    public static bool TryParse([NotNullWhen(true)] string? text, out Preference preference)
    {
        preference = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        var (word, category) = slash < 0 ? (text, null) : (text![..slash], text[(slash + 1)..]);
        PreferenceKind? kind = word switch
        {
            "cheapest" => PreferenceKind.Cheapest,
            "fastest" => PreferenceKind.Fastest,
            "most-available" => PreferenceKind.MostAvailable,
            _ => null,
        };
        if (kind is null || (category is not null && !ServiceCategories.All.Contains(category)))
        {
            return false;
        }

        preference = new Preference(kind.Value, category);
        return true;
    }
}
