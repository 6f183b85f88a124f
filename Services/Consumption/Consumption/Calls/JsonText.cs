using System.Buffers.Text;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Texts as they stand in JSON.</summary>
internal static class JsonText
{
    private const int UnicodeEscape = 6; // «\u00e4»

    /// <summary>
    /// How many bytes of UTF-8 a text has once its escapes are read (RFC 8259, 7). Many encoders escape all but ASCII, and others nothing: the same text is to count the same.
    /// </summary>
    /// <param name="escaped">What stands between the quotes of valid JSON.</param>
    public static long Length(ReadOnlySpan<byte> escaped)
    {
        long length = escaped.Length;
        for (int at; (at = escaped.IndexOf((byte)'\\')) >= 0;)
        {
            escaped = escaped[at..];
            if (escaped.Length >= UnicodeEscape && escaped[1] == 'u')
            {
                length -= UnicodeEscape - (Utf8Parser.TryParse(escaped[2..UnicodeEscape], out ushort unit, out _, 'x') ? Bytes(unit) : UnicodeEscape);
                escaped = escaped[UnicodeEscape..];
            }
            else
            {
                length--;
                escaped = escaped[Math.Min(2, escaped.Length)..];
            }
        }

        return length;
    }

    /// <summary>Of a pair of surrogates, which is four bytes, each has two.</summary>
    private static int Bytes(ushort unit) => unit < 0x80 ? 1 : unit < 0x800 || char.IsSurrogate((char)unit) ? 2 : 3;
}
