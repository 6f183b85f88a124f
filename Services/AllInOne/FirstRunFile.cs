using System.Text.Json;

namespace LlmMarketplace.AllInOne;

/// <summary>DIR/first-run.json: what the panel says, for programs.</summary>
/// <param name="Url">The public address, without a slash at its end.</param>
/// <param name="AdminEmail">The administrator's sign-in.</param>
/// <param name="AdminPassword">And password, as generated at the first start.</param>
/// <param name="ConsumerKey">An API key that may call <paramref name="Model"/>; null until the first start has published something.</param>
/// <param name="Model">What requests name; null likewise.</param>
internal sealed record FirstRunFile(string Url, string AdminEmail, string AdminPassword, string? ConsumerKey, string? Model)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>What an earlier start wrote, if any did.</summary>
    public static FirstRunFile? Read(DataDirectory data)
    {
        if (!File.Exists(data.FirstRunFile))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<FirstRunFile>(File.ReadAllText(data.FirstRunFile), Json);
        }
        catch (JsonException e)
        {
            throw new StartException($"{data.FirstRunFile} cannot be read ({e.Message}): mend or remove it.", e);
        }
    }

    public void Write(DataDirectory data) => PrivateFile.Write(data.FirstRunFile, JsonSerializer.Serialize(this, Json) + "\n");
}
