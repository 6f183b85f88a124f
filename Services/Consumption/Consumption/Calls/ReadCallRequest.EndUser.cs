using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <content>Whom the call is made for: OpenAI's <c>safety_identifier</c>, or <c>user</c>, which it replaces; Anthropic's <c>metadata.user_id</c>.</content>
internal static partial class ReadCallRequest
{
    private ref partial struct Reading
    {
        private readonly (string? Id, string Field) EndUser() =>
            !string.IsNullOrEmpty(safetyIdentifier) ? (safetyIdentifier, "safety_identifier") : user is not null ? (user, "user") : (metadataUser, "metadata.user_id");

        private bool ReadEndUserMember()
        {
            if (surface.Dialect != Dialect.Messages && reader.ValueTextEquals("user"u8))
            {
                Once("user", Seen.User);
                user = ReadText("user");
            }
            else if (surface.Dialect != Dialect.Messages && reader.ValueTextEquals("safety_identifier"u8))
            {
                Once("safety_identifier", Seen.SafetyIdentifier);
                safetyIdentifier = ReadText("safety_identifier");
            }
            else if (surface.Dialect == Dialect.Messages && reader.ValueTextEquals("metadata"u8))
            {
                Once("metadata", Seen.Metadata);
                ReadMetadata();
            }
            else
            {
                return false;
            }

            return true;
        }

        private void ReadMetadata()
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                return;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("user_id"u8))
                {
                    Once("metadata.user_id", Seen.MetadataUser);
                    metadataUser = ReadText("metadata.user_id");
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }
        }

        private string? ReadText(string name)
        {
            reader.Read();
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.Null)
            {
                return reader.GetString();
            }

            Refuse(CallFailure.InvalidField, $"`{name}` must be a string.", name);
            reader.Skip();
            return null;
        }
    }
}
