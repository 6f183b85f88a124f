using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What readers of events share: texts are noted by where they stand, between their quotes, as they are escaped.</summary>
internal static class EventReading
{
    /// <summary>The next value's place if it is a text; null when it is null.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static Slice? ReadText(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.String => new Slice((int)reader.TokenStartIndex + 1, (int)(reader.BytesConsumed - reader.TokenStartIndex) - 2),
            JsonTokenType.Null => null,
            _ => throw new JsonException("A text is expected."),
        };
    }

    /// <exception cref="JsonException">The next value is no small whole number.</exception>
    public static int ReadIndex(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var index) && index is >= 0 and < 10_000 ? index : throw new JsonException("An index is expected.");
    }

    public static void Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    /// <summary>Enters an object; false when the value is null.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static bool Enter(ref Utf8JsonReader reader, JsonTokenType opening = JsonTokenType.StartObject)
    {
        reader.Read();
        return reader.TokenType == opening || (reader.TokenType == JsonTokenType.Null ? false : throw new JsonException($"{opening} is expected."));
    }

    public static ReadOnlySpan<byte> Of(this ReadOnlySpan<byte> data, Slice? at) => at is { } slice ? data.Slice(slice.Start, slice.Length) : default;

    /// <summary>Writes a text as it is escaped already.</summary>
    public static void Escaped(this Utf8JsonWriter json, ReadOnlySpan<byte> name, ReadOnlySpan<byte> escaped)
    {
        json.WritePropertyName(name);
        if (escaped.Length <= 1024)
        {
            Span<byte> quoted = stackalloc byte[1026];
            quoted[0] = (byte)'"';
            escaped.CopyTo(quoted[1..]);
            quoted[escaped.Length + 1] = (byte)'"';
            json.WriteRawValue(quoted[..(escaped.Length + 2)], skipInputValidation: true);
        }
        else
        {
            json.WriteRawValue([.. "\""u8, .. escaped, .. "\""u8], skipInputValidation: true);
        }
    }
}
