using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>Reads a response's id: <c>id</c> of an answer, <c>response.id</c> of an event.</summary>
internal static class ResponseId
{
    private const int MaxLength = 200;

    // What is part of a path must not lead elsewhere.
    private static readonly SearchValues<byte> Letters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"u8);

    /// <summary>The id of a whole answer that is JSON; null when it has none that could be asked for.</summary>
    public static string? OfAnswer(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        return Member(ref reader, "id"u8) ? Text(ref reader) : null;
    }

    /// <summary>The same of an event's data.</summary>
    public static string? OfEvent(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        return Member(ref reader, "response"u8) && Member(ref reader, "id"u8) ? Text(ref reader) : null;
    }

    /// <summary>Moves from an object's beginning to the value of one of its members.</summary>
    private static bool Member(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        while (reader.TokenType is JsonTokenType.StartObject or not JsonTokenType.EndObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = reader.ValueTextEquals(name);
            reader.Read();
            if (isIt)
            {
                return true;
            }

            reader.Skip();
        }

        return false;
    }

    private static string? Text(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length is > 0 and <= MaxLength && !reader.ValueSpan.ContainsAnyExcept(Letters)
            ? Encoding.ASCII.GetString(reader.ValueSpan)
            : null;
}
