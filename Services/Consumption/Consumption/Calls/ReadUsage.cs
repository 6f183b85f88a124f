using System.Text.Json;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>What an answer, or one event of a stream, tells us. The same for both: OpenAI's chunks are laid out as its answers.</summary>
/// <param name="Usage">What the provider says was used; null when it does not say, or says nonsense.</param>
/// <param name="HasChoices">Whether it carries anything besides usage.</param>
/// <param name="TextBytes">Bytes of produced text in it.</param>
/// <param name="IsError">Whether it is an error object.</param>
internal readonly record struct AnswerFacts(TokenUsage? Usage, bool HasChoices, long TextBytes, bool IsError);

/// <summary>Reads answers without building a tree.</summary>
internal static class ReadUsage
{
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static AnswerFacts Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        TokenUsage? usage = null;
        var hasChoices = false;
        var isError = false;
        long textBytes = 0;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("Not an object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("usage"u8))
            {
                usage = ReadUsageObject(ref reader) ?? usage;
            }
            else if (reader.ValueTextEquals("choices"u8))
            {
                hasChoices |= ReadChoices(ref reader, ref textBytes);
            }
            else
            {
                var error = reader.ValueTextEquals("error"u8);
                hasChoices |= reader.ValueTextEquals("data"u8);
                reader.Read();
                isError |= error && reader.TokenType != JsonTokenType.Null;
                reader.Skip();
            }
        }

        return new AnswerFacts(usage, hasChoices, textBytes, isError);
    }

    /// <summary>Whether there is any choice; counts the text in them.</summary>
    private static bool ReadChoices(ref Utf8JsonReader reader, ref long textBytes)
    {
        reader.Read();
        var depth = reader.CurrentDepth;
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return false;
        }

        var any = false;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            any = true;
            if (reader.TokenType == JsonTokenType.PropertyName
                && (reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("reasoning_content"u8) || reader.ValueTextEquals("refusal"u8)))
            {
                reader.Read();
                textBytes += reader.TokenType == JsonTokenType.String ? reader.ValueSpan.Length : 0;
            }
        }

        return any;
    }

    private static TokenUsage? ReadUsageObject(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        long input = 0, output = 0, cached = 0;
        var valid = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8))
            {
                valid &= ReadTokens(ref reader, out input);
            }
            else if (reader.ValueTextEquals("completion_tokens"u8))
            {
                valid &= ReadTokens(ref reader, out output);
            }
            else if (reader.ValueTextEquals("prompt_tokens_details"u8))
            {
                valid &= ReadCached(ref reader, ref cached);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return valid && cached <= input ? new TokenUsage(input, cached, output) : null;
    }

    private static bool ReadCached(ref Utf8JsonReader reader, ref long cached)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return true;
        }

        var valid = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cached_tokens"u8))
            {
                valid &= ReadTokens(ref reader, out cached);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return valid;
    }

    private static bool ReadTokens(ref Utf8JsonReader reader, out long tokens)
    {
        reader.Read();
        tokens = 0;
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out tokens) && tokens is >= 0 and <= int.MaxValue)
        {
            return true;
        }

        tokens = 0;
        reader.Skip();
        return false;
    }
}
