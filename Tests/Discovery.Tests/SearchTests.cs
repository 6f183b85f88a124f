using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Discovery.Tests;

/// <summary>One catalogue for tests that only read.</summary>
public sealed class Shelf(PostgresServer postgres) : IAsyncLifetime
{
    public Catalogue Catalogue { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Catalogue = await Catalogue.StartAsync(postgres);
        await Catalogue.PublishAsync([.. Services()]);
    }

    public async ValueTask DisposeAsync() => await Catalogue.DisposeAsync();

    private static IEnumerable<ListingChanged> Services()
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

public sealed class SearchTests(Shelf shelf) : IClassFixture<Shelf>
{
    private readonly Catalogue catalogue = shelf.Catalogue;

    [Theory]
    [InlineData("turn text into vectors", "acme/minilm")]
    [InlineData("embeddings", "acme/minilm")]
    [InlineData("minilm", "acme/minilm")]
    [InlineData("minillm", "acme/minilm")]
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

    [Fact]
    public async Task An_answer_explains_its_scores_on_request()
    {
        var item = (await catalogue.GetAsync("/api/v1/services?q=semantic+search&explain=true")).GetProperty("items")[0];
        var explanation = item.GetProperty("explanation");
        Assert.Equal(1, explanation.GetProperty("lexicalRank").GetInt32());
        Assert.Equal(1, explanation.GetProperty("vectorRank").GetInt32());
        Assert.Equal(2 / 61.0, explanation.GetProperty("fused").GetDouble(), 9);
        Assert.Equal(JsonValueKind.Null, explanation.GetProperty("popularity").GetProperty("value").ValueKind);
        var sum = new[] { "relevance", "popularity", "performance", "compliance" }.Select(explanation.GetProperty).Sum(p => p.GetProperty("used").GetDouble() * p.GetProperty("weight").GetDouble());
        Assert.Equal(item.GetProperty("score").GetDouble(), sum, 9);

        var plain = (await catalogue.GetAsync("/api/v1/services?q=semantic+search")).GetProperty("items")[0];
        Assert.Equal(JsonValueKind.Null, plain.GetProperty("explanation").ValueKind);
    }

    [Fact]
    public async Task Similar_services_are_close_in_meaning_and_never_the_service_itself()
    {
        var voice = (await catalogue.GetAsync("/api/v1/services/by-name/acme/voice")).GetProperty("id").GetGuid();
        var similar = Catalogue.Names(await catalogue.GetAsync($"/api/v1/services/{voice}/similar?limit=3"));
        Assert.Equal("acme/ears", similar[0]);
        Assert.DoesNotContain("acme/voice", similar);
        Assert.DoesNotContain("acme/painter", similar);
    }

    [Theory]
    [InlineData("mini", "acme/minilm", "service")]
    [InlineData("acm", "acme", "provider")]
    [InlineData("transl", "translation", "category")]
    [InlineData("search", "semantic-search", "tag")]
    [InlineData("semntic", "semantic-search", "tag")]
    public async Task Autocomplete_completes_and_mends(string typed, string text, string kind)
    {
        var items = (await catalogue.GetAsync($"/api/v1/services/autocomplete?q={typed}")).GetProperty("items").EnumerateArray().ToList();
        Assert.Contains(items, i => i.GetProperty("text").GetString() == text && i.GetProperty("kind").GetString() == kind && i.GetProperty("count").GetInt32() > 0);
    }

    [Theory]
    [InlineData("%")]
    [InlineData("_")]
    [InlineData(".*")]
    [InlineData("(")]
    [InlineData("\\")]
    [InlineData("'")]
    public async Task Autocomplete_takes_what_is_typed_as_letters(string typed) =>
        Assert.Empty((await catalogue.GetAsync($"/api/v1/services/autocomplete?q={Uri.EscapeDataString(typed)}")).GetProperty("items").EnumerateArray());
}
