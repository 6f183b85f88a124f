using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <content>Prompts of <c>/v1/completions</c>.</content>
internal static partial class ReadCallRequest
{
    private ref partial struct Reading
    {
        /// <summary>Counts without reading on: a text or an array of tokens is one prompt, each text or array of tokens in an array is one. Providers answer each by itself.</summary>
        private void CountPrompts()
        {
            var ahead = reader;
            ahead.Read();
            if (ahead.TokenType != JsonTokenType.StartArray)
            {
                prompts += ahead.TokenType == JsonTokenType.Null ? 0 : 1;
                return;
            }

            var hasTokens = false;
            while (ahead.Read() && ahead.TokenType != JsonTokenType.EndArray)
            {
                hasTokens |= ahead.TokenType == JsonTokenType.Number;
                prompts += ahead.TokenType == JsonTokenType.Number ? 0 : 1;
                ahead.Skip();
            }

            prompts += hasTokens ? 1 : 0;
        }
    }
}
