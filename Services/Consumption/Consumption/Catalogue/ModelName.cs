using System.Diagnostics.CodeAnalysis;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>
/// What a caller writes as <c>model</c>: <c>provider/service</c>, or <c>provider/service@1.2</c>, where what follows the @ is a whole SemVer version
/// or its first one or two numbers.
/// </summary>
/// <param name="Listing"><c>provider/service</c>.</param>
/// <param name="Version">What follows the @, or null.</param>
internal readonly record struct ModelName(string Listing, string? Version)
{
    private const int MaxLength = 300;

    public static bool TryParse([NotNullWhen(true)] string? text, out ModelName name)
    {
        name = default;
        if (text is null || text.Length > MaxLength)
        {
            return false;
        }

        var at = text.IndexOf('@', StringComparison.Ordinal);
        var listing = at < 0 ? text : text[..at];
        var version = at < 0 ? null : text[(at + 1)..];
        var slash = listing.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == listing.Length - 1 || listing.LastIndexOf('/') != slash || version is { Length: 0 })
        {
            return false;
        }

        name = new ModelName(listing, version);
        return true;
    }

    public override string ToString() => Version is null ? Listing : $"{Listing}@{Version}";
}
