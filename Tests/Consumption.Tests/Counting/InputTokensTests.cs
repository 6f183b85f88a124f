using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Counting;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Counting;

/// <summary>Tokens of a body: at least those of its texts, at most its bytes.</summary>
public sealed class InputTokensTests
{
    private static readonly ModelTokenizers Tokenizers = new();
    private static readonly JsonSerializerOptions Bare = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Letters with and without case, marks, digits, signs, spaces, lines, what JSON escapes, and what lies beyond UTF-16.
    private static readonly (int From, int To)[] Alphabets =
        [('a', 'z'), ('A', 'Z'), ('0', '9'), (' ', ' '), ('\n', '\n'), (0, 0x7f), (0xa0, 0x17f), (0x300, 0x36f), (0x410, 0x44f), (0xe01, 0xe4e), (0x4e00, 0x9fff), (0x1d400, 0x1d4ff), (0x1f300, 0x1f6ff), (0x20000, 0x20100)];

    private static readonly Gen<string> Texts =
        (from runs in (from alphabet in Gen.Elements(Alphabets)
                       from points in Gen.Choose(alphabet.From, alphabet.To).ListOf()
                       select string.Concat(points.Select(point => new Rune(point).ToString()))).ListOf()
         select string.Concat(runs));

    [Property]
    public Property A_count_lies_between_the_tokens_of_the_texts_and_the_bytes_of_the_body() => Prop.ForAll(
        Texts.Two().ToArbitrary(),
        Gen.Elements("gpt-4o", "gpt-4").ToArbitrary(),
        (pair, model) =>
        {
            var tokenizer = Tokenizers.OfAsync(model).GetAwaiter().GetResult()!;
            var (system, user) = pair;
            string[] bare = [system, user]; // Nothing but the texts could make up for one that counts too much.
            var chat = new { model, messages = new object[] { new { role = "system", content = system }, new { role = "user", content = user } } };
            foreach (var options in (JsonSerializerOptions?[])[null, Bare])
            {
                var body = JsonSerializer.SerializeToUtf8Bytes(chat, options);
                var texts = JsonSerializer.SerializeToUtf8Bytes(bare, options);
                var framed = tokenizer.CountTokens(system) + tokenizer.CountTokens(user) + (2 * 4) + 3; // As OpenAI frames a chat: 4 a message with its role, and 3 for the answer to begin.
                Assert.InRange(InputTokens.Count(body, tokenizer), framed, body.Length);
                Assert.InRange(InputTokens.Count(texts, tokenizer), 0, texts.Length);
            }
        });

    [Fact]
    public async Task Prose_counts_a_small_part_of_its_bytes()
    {
        var text = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 20)).TrimEnd();

        Assert.Equal(200 + "{\"input\":\"\"}".Length - "input".Length + 1, await CountAsync($$"""{"input":"{{text}}"}"""));
    }

    [Fact]
    public async Task The_name_of_a_special_token_counts_by_its_letters_for_providers_read_it_so()
    {
        var text = string.Concat(Enumerable.Repeat("<|endoftext|>", 100));

        Assert.True(await CountAsync($$"""{"input":"{{text}}"}""") >= text.Length);
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("=")]
    [InlineData("漢")]
    [InlineData("e\u0301")]
    public async Task Text_without_end_counts_by_its_bytes_for_tokenizing_takes_the_square_of_its_length(string one)
    {
        var body = $$"""{"input":"{{string.Concat(Enumerable.Repeat(one, 20_000))}}"}""";

        Assert.InRange(await CountAsync(body), Encoding.UTF8.GetByteCount(body) - 10, Encoding.UTF8.GetByteCount(body));
    }

    [Fact]
    public async Task Tokens_given_as_numbers_count_one_at_least() => Assert.True(await CountAsync("""{"input":[1,22,333,4]}""") >= 4);

    [Fact]
    public async Task Half_of_a_surrogate_pair_counts_by_its_bytes() => Assert.True(await CountAsync("""{"input":"\ud83d"}""") > 6);

    [Theory]
    [InlineData("llama-3.3-70b")]
    [InlineData("text-davinci-003")]
    public async Task A_model_whose_tokenizer_is_not_here_has_none(string model) => Assert.Null(await Tokenizers.OfAsync(model));

    private static async Task<int> CountAsync(string body)
    {
        var tokenizer = await Tokenizers.OfAsync("gpt-4o");
        return InputTokens.Count(Encoding.UTF8.GetBytes(body), tokenizer!);
    }
}
