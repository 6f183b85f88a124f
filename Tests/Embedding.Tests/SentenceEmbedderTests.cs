using System.Numerics.Tensors;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Embedding.Tests;

public sealed class SentenceEmbedderTests : IDisposable
{
    private readonly Golden golden = Golden.Load();
    private readonly SentenceEmbedder embedder = Embedder();

    public void Dispose() => embedder.Dispose();

    [Fact]
    public void Texts_are_tokenised_as_the_model_was_trained()
    {
        var pieces = new WordPieces(File.OpenRead(Path.Combine(new EmbeddingOptions().Directory, "vocab.txt")));
        Assert.NotEmpty(golden.Items);
        Assert.All(golden.Items, item => Assert.Equal(item.InputIds, pieces.Tokenize(item.Text).Ids));
    }

    [Fact]
    public async Task Vectors_match_the_golden_values()
    {
        foreach (var item in golden.Items)
        {
            var result = await embedder.EmbedAsync(item.Text, TestContext.Current.CancellationToken);
            Assert.Equal(item.InputIds.Length, result.Tokens);
            Assert.False(result.Truncated);
            AssertClose(item.Embedding, result.Vector, golden.Tolerance);
        }
    }

    [Fact]
    public async Task A_padded_batch_gives_what_each_text_gives_alone_in_the_order_asked()
    {
        string[] texts = [string.Join(' ', Enumerable.Repeat("contract", 90)), .. golden.Items.Select(i => i.Text), "Hi", ""];
        var together = await embedder.EmbedAsync(texts, TestContext.Current.CancellationToken);
        for (var i = 0; i < texts.Length; i++)
        {
            var alone = await embedder.EmbedAsync(texts[i], TestContext.Current.CancellationToken);
            AssertClose(alone.Vector, together[i].Vector, 1e-5f);
            Assert.Equal(1f, TensorPrimitives.Norm<float>(together[i].Vector), 1e-4f);
        }
    }

    [Fact]
    public async Task A_long_text_is_cut_at_256_tokens_and_says_so()
    {
        var words = Enumerable.Repeat("contract", 300).ToArray();
        var results = await embedder.EmbedAsync([string.Join(' ', words), string.Join(' ', words[..254]), string.Join(' ', words[..255])], TestContext.Current.CancellationToken);
        Assert.Equal([(256, true), (256, false), (256, true)], results.Select(r => (r.Tokens, r.Truncated)));
        AssertClose(results[1].Vector, results[0].Vector, 1e-5f);
    }

    [Fact]
    public async Task Small_batches_change_nothing()
    {
        using var small = Embedder(o => o.BatchTokens = 256);
        string[] texts = [.. Enumerable.Range(0, 60).Select(i => string.Join(' ', Enumerable.Repeat("word", i + 1)))];
        var expected = await embedder.EmbedAsync(texts, TestContext.Current.CancellationToken);
        var actual = await small.EmbedAsync(texts, TestContext.Current.CancellationToken);
        Assert.All(expected.Zip(actual), pair => AssertClose(pair.First.Vector, pair.Second.Vector, 1e-5f));
    }

    [Fact]
    public async Task Many_callers_at_once_each_get_their_own_answer()
    {
        var token = TestContext.Current.CancellationToken;
        await Task.WhenAll(Enumerable.Range(0, 48).Select(async i =>
        {
            var item = golden.Items[i % golden.Items.Count];
            var result = await embedder.EmbedAsync([item.Text, $"something else {i}"], token);
            AssertClose(item.Embedding, result[0].Vector, golden.Tolerance);
        }));
    }

    [Fact]
    public async Task A_cancelled_call_stops_and_the_embedder_goes_on()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        string[] long256 = [.. Enumerable.Repeat(string.Join(' ', Enumerable.Repeat("contract", 300)), 400)];
        var running = embedder.EmbedAsync(long256, stop.Token);
        stop.CancelAfter(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        var after = await embedder.EmbedAsync(golden.Items[0].Text, TestContext.Current.CancellationToken);
        AssertClose(golden.Items[0].Embedding, after.Vector, golden.Tolerance);
    }

    [Fact]
    public async Task One_embedder_may_go_while_another_works()
    {
        var other = Embedder();
        var running = other.EmbedAsync([.. golden.Items.Select(i => i.Text)], TestContext.Current.CancellationToken);
        other.Dispose();
        embedder.Dispose();
        Assert.Equal(golden.Items.Count, (await running).Count);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => other.EmbedAsync("gone", TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_damaged_model_is_refused_with_both_checksums_and_the_remedy()
    {
        var folder = Directory.CreateTempSubdirectory("embedding-tests-").FullName;
        try
        {
            File.Copy(Path.Combine(new EmbeddingOptions().Directory, "vocab.txt"), Path.Combine(folder, "vocab.txt"));
            var missing = Assert.Throws<EmbeddingModelException>(() => Embedder(o => o.Directory = folder));
            Assert.Contains("model.onnx cannot be read", missing.Message, StringComparison.Ordinal);

            File.WriteAllText(Path.Combine(folder, "model.onnx"), "version https://git-lfs.github.com/spec/v1");
            var damaged = Assert.Throws<EmbeddingModelException>(() => Embedder(o => o.Directory = folder));
            Assert.Contains("expected 8199be6f699a", damaged.Message, StringComparison.Ordinal);
            Assert.Contains("git checkout", damaged.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static SentenceEmbedder Embedder(Action<EmbeddingOptions>? configure = null)
    {
        var options = new EmbeddingOptions();
        configure?.Invoke(options);
        return new SentenceEmbedder(Options.Create(options));
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var largest = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(largest <= tolerance, $"Largest difference {largest} is above {tolerance}.");
    }
}
