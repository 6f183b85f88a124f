using System.Buffers.Text;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>How long texts are that stand in JSON: bytes of UTF-8 once they are read, however they are escaped there. <c>\u00e9</c> is two bytes, as <c>é</c> is.</summary>
internal static class TextLength
{
    private const int Short = 2;
    private const int Long = 6;

    /// <summary>Of the text that the reader stands at; zero when it stands at something else.</summary>
    public static int Of(in Utf8JsonReader reader) => reader.TokenType != JsonTokenType.String ? 0 : reader.ValueIsEscaped ? Of(reader.ValueSpan) : reader.ValueSpan.Length;

    /// <param name="escaped">A text between its quotes, or JSON that has texts in it.</param>
    public static int Of(ReadOnlySpan<byte> escaped)
    {
        var length = 0;
        while (escaped.IndexOf((byte)'\\') is >= 0 and var at)
        {
            escaped = escaped[at..];
            ushort unit = 0;
            var isUnit = escaped.Length >= Long && escaped[1] == 'u' && Utf8Parser.TryParse(escaped[Short..Long], out unit, out var read, 'x') && read == Long - Short;
            length += at + (isUnit ? Bytes(unit) : 1);
            escaped = escaped[Math.Min(isUnit ? Long : Short, escaped.Length)..];
        }

        return length + escaped.Length;
    }

    /// <summary>Of one unit of UTF-16. Each half of a pair is two of the pair's four: providers cut between them.</summary>
    private static int Bytes(ushort unit) => unit < 0x80 ? 1 : unit < 0x800 || char.IsSurrogate((char)unit) ? 2 : 3;
}
