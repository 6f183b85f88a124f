using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.ML.Tokenizers;

namespace LlmMarketplace.Consumption.Counting;

/// <summary>
/// Counts a body of JSON with its model's tokenizer:
/// <code>
/// count = bytes of the body − Σ over its strings, names of members too (bytes of the string − tokens of its text − its line feeds)
/// </code>
/// Never more than the bytes: a token has at least one byte of text, and an escaped line feed has two. Never less than the model is given: each text is read as the model reads it, for the
/// marks that part messages, tools and schemas are no longer than the quotes, colons, commas and brackets around them, which still count by bytes; descriptions of tools are shown
/// as comments, and each of their lines is marked so.
/// </summary>
internal static class InputTokens
{
    // The library looks for pairs to merge anew after each merge: a piece of text (letters, spaces or signs in a row) takes the square of its length.
    private const int LongestRun = 256;

    // Deeper than any body that is let in, or is made of one.
    private const int MaxDepth = 2_048;

    public static int Count(ReadOnlySpan<byte> body, Tokenizer tokenizer)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
        var count = body.Length;
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
            {
                count -= reader.ValueSpan.Length - TokensOf(ref reader, tokenizer);
            }
        }

        return count;
    }

    private static int TokensOf(ref Utf8JsonReader reader, Tokenizer tokenizer)
    {
        var bytes = reader.ValueSpan.Length;
        var rented = ArrayPool<char>.Shared.Rent(bytes);
        try
        {
            var text = rented.AsSpan(0, reader.CopyString(rented));
            return IsCountable(text) ? tokenizer.CountTokens(text) + text.Count('\n') : bytes;
        }
        catch (InvalidOperationException)
        {
            return bytes; // It escapes half of a surrogate pair: no text.
        }
        finally
        {
            ArrayPool<char>.Shared.Return(rented);
        }
    }

    /// <summary>Whether the tokenizer counts a text as the model does, and soon; else its bytes count.</summary>
    private static bool IsCountable(ReadOnlySpan<char> text)
    {
        // The names of special tokens begin so (<|endoftext|>). The library takes a name for the token itself, where providers read a caller's text letter by letter.
        if (text.Contains("<|", StringComparison.Ordinal))
        {
            return false;
        }

        var (last, run) = (Kind.None, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            var kind = Rune.IsWhiteSpace(rune) ? Kind.Space : KindOf(Rune.GetUnicodeCategory(rune), last);

            // The library's expressions know UTF-16 only, and take letters beyond it for signs.
            run = kind == last ? run + rune.Utf16SequenceLength : rune.Utf16SequenceLength;
            if (run > LongestRun || (!rune.IsBmp && kind is Kind.Letter or Kind.Digit))
            {
                return false;
            }

            last = kind;
        }

        return true;
    }

    private static Kind KindOf(UnicodeCategory category, Kind last) => category switch
    {
        <= UnicodeCategory.OtherLetter => Kind.Letter,
        <= UnicodeCategory.EnclosingMark => last is Kind.Letter or Kind.Sign ? last : Kind.Sign, // One vocabulary takes marks for letters, the other for signs.
        <= UnicodeCategory.OtherNumber => Kind.Digit,
        _ => Kind.Sign,
    };

    private enum Kind
    {
        None,
        Letter,
        Digit,
        Sign,
        Space,
    }
}
