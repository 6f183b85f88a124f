using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Searches of the web that a response made (https://platform.openai.com/docs/guides/tools-web-search): output items of the type <c>web_search_call</c>. Their action
/// says what was done; a search costs, opening a page or looking into one does not.
/// <code>{"type":"web_search_call","status":"completed","action":{"type":"search","query":"…"}}</code>
/// </summary>
internal static class SearchCalls
{
    /// <summary>How many of them there are.</summary>
    /// <param name="json">One output item, or an array of them.</param>
    public static int Count(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("\"web_search_call\""u8) < 0)
        {
            return 0;
        }

        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            return IsSearch(ref reader) ? 1 : 0;
        }

        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                count += IsSearch(ref reader) ? 1 : 0;
            }
            else
            {
                reader.Skip();
            }
        }

        return count;
    }

    private static bool IsSearch(ref Utf8JsonReader reader)
    {
        bool isCall = false, isSearch = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                isCall = Says(ref reader, "web_search_call"u8);
            }
            else if (reader.ValueTextEquals("action"u8))
            {
                isSearch = ReadAction(ref reader);
            }
            else
            {
                Skip(ref reader);
            }
        }

        return isCall && isSearch;
    }

    /// <summary>Whether it is a search, as it is when nothing is said.</summary>
    private static bool ReadAction(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return true;
        }

        var isSearch = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                isSearch = Says(ref reader, "search"u8);
            }
            else
            {
                Skip(ref reader);
            }
        }

        return isSearch;
    }

    private static bool Says(ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        reader.Read();
        var says = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(text);
        reader.Skip();
        return says;
    }

    private static void Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }
}
