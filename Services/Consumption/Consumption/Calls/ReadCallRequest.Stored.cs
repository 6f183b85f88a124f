using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <content>Members that reach what a provider keeps.</content>
internal static partial class ReadCallRequest
{
    private ref partial struct Reading
    {
        /// <summary>What providers keep. They know the marketplace only: what is kept there must not be reached by its id alone, which may be another organisation's.</summary>
        private bool ReadStoreMember()
        {
            if (reader.ValueTextEquals("store"u8))
            {
                Once("store", Seen.Store);
                store = ReadFlag("store");
            }
            else if (reader.ValueTextEquals("previous_response_id"u8))
            {
                Once("previous_response_id", Seen.PreviousResponse);
                reader.Read();
                previousResponse = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                media |= previousResponse is not null; // What came before is input too, and only the context window bounds it.
                if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.Null))
                {
                    Refuse(CallFailure.InvalidField, "`previous_response_id` must be a string.", "previous_response_id");
                }

                reader.Skip();
            }
            else if (reader.ValueTextEquals("conversation"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                {
                    Refuse(CallFailure.Untranslatable, "Conversations are not kept here: go on with `previous_response_id`.", "conversation");
                }

                reader.Skip();
            }
            else
            {
                return false;
            }

            return true;
        }

        /// <summary>A conversation that Anthropic keeps under the id of an answer: the same, and what is in it is neither reserved nor bounded.</summary>
        private bool ReadThreadMember()
        {
            if (!reader.ValueTextEquals("thread"u8))
            {
                return false;
            }

            reader.Read();
            if (reader.TokenType != JsonTokenType.Null)
            {
                Refuse(CallFailure.ThreadsNotKept, null, "thread");
            }

            reader.Skip();
            return true;
        }
    }
}
