using System.Text.Json;

namespace LlmMarketplace.FirstRun;

/// <summary>What is done so far. Written whole after each thing done; what happened between doing and writing is found again by asking the marketplace.</summary>
internal sealed class State
{
    private string path = "";

    /// <summary>Organisation ids by slug.</summary>
    public Dictionary<string, Guid> Organisations { get; init; } = [];

    /// <summary>Machine clients by their organisation's slug.</summary>
    public Dictionary<string, StateClient> Clients { get; init; } = [];

    /// <summary><c>provider/service@version</c> that were published and found.</summary>
    public SortedSet<string> Published { get; init; } = new(StringComparer.Ordinal);

    /// <summary>The consumer's key.</summary>
    public string? ConsumerKey { get; set; }

    /// <summary>The consumer's model was served to its key.</summary>
    public bool Served { get; set; }

    public static State Open(string path)
    {
        if (!File.Exists(path))
        {
            return new State { path = path };
        }

        try
        {
            var state = JsonSerializer.Deserialize<State>(File.ReadAllText(path), PrivateFile.Json) ?? new State();
            state.path = path;
            return state;
        }
        catch (JsonException broken)
        {
            throw new FirstRunException($"{path} cannot be read ({broken.Message}). Remove it: what was done is found again, only credentials are made anew.", broken);
        }
    }

    public void Save() => PrivateFile.Write(path, this);
}

/// <summary>Credentials of a machine client.</summary>
internal sealed record StateClient(string Id, string Secret);
