namespace LlmMarketplace.Consumption.Translation;

/// <summary>A base64 data URL (RFC 2397).</summary>
/// <param name="MediaType">Such as <c>image/png</c>.</param>
/// <param name="Data">Base64.</param>
internal readonly record struct DataUrl(string MediaType, string Data)
{
    /// <summary>Its parts, or null when the text is another kind of address.</summary>
    public static DataUrl? Parse(string text)
    {
        const string Encoding = ";base64,";
        var comma = text.IndexOf(Encoding, StringComparison.OrdinalIgnoreCase);
        return comma > 5 && text.StartsWith("data:", StringComparison.OrdinalIgnoreCase) ? new DataUrl(text[5..comma].ToLowerInvariant(), text[(comma + Encoding.Length)..]) : null;
    }
}
