namespace LlmMarketplace.Consumption.Attribution;

/// <summary>What the id of an end user may be: whoever the caller makes a call for. It is the caller's own name for a person, and personal data.</summary>
internal static class EndUserId
{
    public const int MaxLength = 256;

    /// <summary>What is wrong with an id, or null.</summary>
    public static string? Problem(string id) =>
        id.Length is 0 or > MaxLength ? $"The id of an end user must have 1 to {MaxLength} characters."
        : !IsPlain(id) ? "The id of an end user must be text without control characters."
        : null;

    /// <summary>Whether a text can be kept and shown everywhere: no control characters, no broken surrogates.</summary>
    public static bool IsPlain(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]) || (char.IsSurrogate(text[i]) && (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[++i]))))
            {
                return false;
            }
        }

        return true;
    }
}
