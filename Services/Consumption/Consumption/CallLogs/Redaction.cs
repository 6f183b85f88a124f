using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>
/// Takes out of a text what is not to be kept: each place becomes <c>[redacted:kind]</c>. All patterns look at the text as it was, so none hides a place from another, and places that overlap become one.
/// Base64 data become <c>[data: 1234 bytes, sha256:…]</c>. No pattern backtracks: the time grows with the text alone.
/// </summary>
internal sealed class Redaction(IReadOnlyList<Regex> own)
{
    private const int MinIban = 15;
    private const int MaxIban = 34;
    private const int MinCard = 13;
    private const int MaxCard = 19;

    // A group is the space that people write between groups of digits.
    private static readonly Rule[] BuiltIn =
    [
        new("key", Pattern(@"\b(?:llm_mk_[A-Za-z0-9]{8,}|(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeprs]-[A-Za-z0-9-]{10,}"
            + @"|hf_[A-Za-z0-9]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"), null),
        new("key", Pattern(@"(?i)\bbearer\s+[a-z0-9._~+/-]{16,}=*"), null),
        new("key", Pattern(@"(?i)\b(?:x-)?api[-_ ]?key[""']?\s*[:=]\s*[""']?[a-z0-9._~+/-]{8,}=*"), null),
        new("key", Pattern(@"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"), null),
        new("email", Pattern(@"[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"), null),
        new("iban", Pattern(@"(?i)[a-z]{2}[0-9]{2}(?:[ \u00A0-]?[a-z0-9]){11,30}"), Iban),
        new("card", Pattern(@"[2-6](?:[ \u00A0.-]?[0-9]){12,18}"), Card),
        new("ip", Pattern(@"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"), Address),
        new("ip", Pattern(@"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9.]{4,12})?"), Address),
        new("phone", Pattern(@"(?:\+|00)[ ]?[1-9](?:[ \u00A0().\/-]{0,3}[0-9]){6,14}"), Whole),
        new("phone", Pattern(@"\(?0[1-9][0-9]{1,4}\)?[ \u00A0.\/-]{1,3}[0-9]{2,}(?:[ \u00A0.-]?[0-9]){2,9}"), Whole),
        new("phone", Pattern(@"(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ ]?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}"), Whole),
    ];

    private static readonly Regex Data = Pattern(@"data:[^,\s]{0,200};base64,[A-Za-z0-9+/_-]*={0,2}|[A-Za-z0-9+/_-]{256,}={0,2}");
    private readonly Rule[] rules = [.. BuiltIn, .. own.Select(pattern => new Rule("own", pattern, null))];

    /// <summary>Says how many characters from a place on are really meant; 0: none.</summary>
    private delegate int Check(ReadOnlySpan<char> text, int start, int length);

    /// <summary>The text without what is not to be kept.</summary>
    public string Redact(string text)
    {
        var places = new List<Place>();
        foreach (var match in Data.EnumerateMatches(text))
        {
            places.Add(new Place(match.Index, match.Index + match.Length, Measure(text.AsSpan(match.Index, match.Length))));
        }

        foreach (var (kind, pattern, check) in rules)
        {
            Find(text, pattern, check, $"[redacted:{kind}]", places);
        }

        return places.Count == 0 ? text : Replace(text, places);
    }

    private static void Find(string text, Regex pattern, Check? check, string label, List<Place> places)
    {
        if (check is null)
        {
            foreach (var match in pattern.EnumerateMatches(text))
            {
                if (match.Length > 0)
                {
                    places.Add(new Place(match.Index, match.Index + match.Length, label));
                }
            }

            return;
        }

        // What is not meant after all may hide what begins within it: the next look begins one further on.
        for (var match = pattern.Match(text); match.Success;)
        {
            var length = check(text, match.Index, match.Length);
            if (length > 0)
            {
                places.Add(new Place(match.Index, match.Index + length, label));
            }

            var next = match.Index + Math.Max(1, length);
            if (next >= text.Length)
            {
                return;
            }

            match = pattern.Match(text, next);
        }
    }

    private static string Replace(string text, List<Place> places)
    {
        places.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : b.End.CompareTo(a.End));
        var redacted = new StringBuilder(text.Length);
        var end = 0;
        foreach (var place in places)
        {
            if (place.Start >= end)
            {
                redacted.Append(text, end, place.Start - end).Append(place.Label);
            }

            end = Math.Max(end, place.End);
        }

        return redacted.Append(text, end, text.Length - end).ToString();
    }

    private static string Measure(ReadOnlySpan<char> data)
    {
        var comma = data.IndexOf(',');
        var type = comma < 0 ? "" : $"{data["data:".Length..(comma - ";base64".Length)]}, ";
        var text = data[(comma + 1)..];
        var bytes = Decode(text);
        return $"[data: {type}{bytes.Length} bytes, sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}]";
    }

    private static byte[] Decode(ReadOnlySpan<char> text)
    {
        var bytes = new byte[(text.Length * 3 / 4) + 3];
        if (Convert.TryFromBase64Chars(text, bytes, out var length))
        {
            return bytes[..length];
        }

        return Base64Url.IsValid(text) ? Base64Url.DecodeFromChars(text) : Encoding.UTF8.GetBytes(text.ToArray());
    }

    private static int Whole(ReadOnlySpan<char> text, int start, int length) => StandsAlone(text, start, length) ? length : 0;

    private static int Address(ReadOnlySpan<char> text, int start, int length)
    {
        while (length > 4 && text[start + length - 1] is '.' or ':' && !text.Slice(start, length).EndsWith("::", StringComparison.Ordinal))
        {
            length--; // The end of a sentence.
        }

        return length >= 4 && StandsAlone(text, start, length) && IPAddress.TryParse(text.Slice(start, length), out _) ? length : 0;
    }

    // ISO 13616: the country and its check digits go to the end, letters count from 10, and the whole is 1 modulo 97.
    private static int Iban(ReadOnlySpan<char> text, int start, int length)
    {
        Span<char> plain = stackalloc char[MaxIban];
        return Longest(text, start, length, plain, MinIban, static candidate =>
        {
            var rest = 0;
            for (var i = 0; i < candidate.Length; i++)
            {
                var c = char.ToUpperInvariant(candidate[(i + 4) % candidate.Length]);
                rest = char.IsAsciiDigit(c) ? ((rest * 10) + c - '0') % 97 : ((rest * 100) + c - 'A' + 10) % 97;
            }

            return rest == 1;
        });
    }

    // ISO/IEC 7812: Luhn.
    private static int Card(ReadOnlySpan<char> text, int start, int length)
    {
        Span<char> plain = stackalloc char[MaxCard];
        return Longest(text, start, length, plain, MinCard, static candidate =>
        {
            var sum = 0;
            for (var i = 0; i < candidate.Length; i++)
            {
                var digit = candidate[^(i + 1)] - '0';
                sum += i % 2 == 0 ? digit : digit > 4 ? (digit * 2) - 9 : digit * 2;
            }

            return sum % 10 == 0;
        });
    }

    /// <summary>The longest beginning of a match that stands alone and is right without the spaces in it.</summary>
    private static int Longest(ReadOnlySpan<char> text, int start, int length, Span<char> plain, int min, Func<ReadOnlySpan<char>, bool> isRight)
    {
        var (count, found) = (0, 0);
        for (var i = 0; i < length && count < plain.Length; i++)
        {
            if (!char.IsAsciiLetterOrDigit(text[start + i]))
            {
                continue;
            }

            plain[count++] = text[start + i];
            if (count >= min && StandsAlone(text, start, i + 1) && isRight(plain[..count]))
            {
                found = i + 1;
            }
        }

        return found;
    }

    private static bool StandsAlone(ReadOnlySpan<char> text, int start, int length) =>
        (start == 0 || !char.IsAsciiLetterOrDigit(text[start - 1])) && (start + length == text.Length || !char.IsAsciiLetterOrDigit(text[start + length]));

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    private readonly record struct Place(int Start, int End, string Label);

    private sealed record Rule(string Kind, Regex Pattern, Check? Check);
}
