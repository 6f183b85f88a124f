using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Discovery.Tests;

public sealed class SearchTests(PostgresServer postgres) : IAsyncLifetime
{
    private Catalogue catalogue = null!;

    public async ValueTask InitializeAsync()
    {
        catalogue = await Catalogue.StartAsync(postgres);
        await catalogue.PublishAsync([.. Shelf()]);
    }

    public ValueTask DisposeAsync() => catalogue.DisposeAsync();

    [Theory]
    [InlineData("turn text into vectors", "acme/minilm")]
    [InlineData("embeddings", "acme/minilm")]
    [InlineData("minilm", "acme/minilm")]
    [InlineData("minlim", "acme/minilm")]
    [InlineData("condense contracts for a lawyer", "acme/brief")]
    [InlineData("german to french", "acme/dragoman")]
    [InlineData("is this message phishing", "acme/sieve")]
    [InlineData("read out loud", "acme/voice")]
    [InlineData("dictation", "acme/voice")]
    [InlineData("make a picture of a cat", "acme/painter")]
    [InlineData("write unit tests in Python", "acme/pilot")]
    public async Task A_service_is_found_by_what_it_does(string query, string expected)
    {
        var found = await catalogue.SearchAsync($"q={Uri.EscapeDataString(query)}");
        Assert.Equal(expected, found[0]);
    }

    [Theory]
    [InlineData("The weather in Lisbon is sunny today.")]
    [InlineData("xyzzy plugh")]
    [InlineData("chocolate cake recipe")]
    [InlineData("the of and")]
    [InlineData("'; DROP TABLE listings; --")]
    [InlineData("a & b | !c <-> (d")]
    public async Task A_query_that_matches_nothing_returns_nothing(string query)
    {
        var page = await catalogue.GetAsync($"/api/v1/services?q={Uri.EscapeDataString(query)}");
        Assert.Empty(page.GetProperty("items").EnumerateArray());
        Assert.Equal(0, page.GetProperty("total").GetInt32());
        Assert.All(page.GetProperty("facets").EnumerateObject(), facet => Assert.Empty(facet.Value.EnumerateArray()));
    }

    private static IEnumerable<ListingChanged> Shelf()
    {
        (string Name, string Description, string Category, string[] Tags)[] services =
        [
            ("minilm", "Sentence embeddings for English: maps sentences and paragraphs to a 384-dimensional dense space for semantic search and clustering.", "embeddings", ["semantic-search", "similarity"]),
            ("talker", "General purpose chat model for conversation, reasoning and drafting.", "text-generation", ["chat", "assistant"]),
            ("brief", "Condenses lengthy contracts and court documents into short summaries.", "summarization", ["legal", "contracts"]),
            ("dragoman", "Translates customer requests from German to French, quickly and reliably.", "translation", ["german", "french"]),
            ("mood", "Tells whether a product review is positive or negative.", "sentiment-analysis", ["reviews"]),
            ("pilot", "Writes and completes source code in Python, C# and TypeScript, and generates unit tests.", "code-generation", ["programming"]),
            ("painter", "Draws pictures from a description.", "image-generation", ["art"]),
            ("ears", "Transcribes recorded speech in 40 languages.", "speech-to-text", ["audio", "transcription"]),
            ("voice", "Reads text aloud in natural voices.", "text-to-speech", ["audio"]),
            ("lens", "Vision model that reads invoices and returns structured JSON.", "other", ["ocr", "vision"]),
            ("sieve", "Sorts incoming mail into spam, phishing and wanted messages.", "classification", ["mail", "security"]),
        ];
        return services.Select(s => Samples.Listing(Catalogue.Provider, "acme", s.Name, Samples.Version(Samples.Specification(s.Description, s.Category, s.Tags))));
    }
}
