using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Translation;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Translation;

/// <summary>One folder per translator: what goes in, and byte for byte what comes out. <c>GOLDEN=path/of/Golden</c> rewrites the latter; read the difference.</summary>
public class GoldenTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Translation", "Golden");

    public static TheoryData<string> Cases { get; } = new(Directory.EnumerateFiles(Folder, "*.in.*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, file)).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_translation_is_byte_for_byte_the_committed_one(string input)
    {
        var pair = Path.GetDirectoryName(input)!;
        var actual = Translate(pair, Path.GetFileName(input), File.ReadAllBytes(Path.Combine(Folder, input)));
        var golden = input.Replace(".in.", ".out.", StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("GOLDEN") is { Length: > 0 } source)
        {
            File.WriteAllBytes(Path.Combine(source, golden), actual);
            return;
        }

        Assert.Equal(File.ReadAllText(Path.Combine(Folder, golden)), Translating.Text(actual));
    }

    private static byte[] Translate(string pair, string name, byte[] input)
    {
        var caller = Translating.Caller(pair);
        if (pair.Contains("Stream", StringComparison.Ordinal))
        {
            return Translating.Stream(pair, [input]).Output;
        }

        var output = new ArrayBufferWriter<byte>();
        if (pair.Contains("Answer", StringComparison.Ordinal))
        {
            Translators.Answer(caller, Translating.Provider(pair), input, Translating.Head, output);
        }
        else
        {
            var model = name.StartsWith("claude.", StringComparison.Ordinal) ? "eu.anthropic.claude-sonnet-4-20250514-v1:0" : "upstream-model";
            var request = Translators.Request(caller, Translating.Provider(pair), input, new TranslationOptions(model));
            Assert.Null(request.Refusal);
            Assert.All(request.Dropped, path => Assert.Contains(path, (string[])["metadata.user_id", "safety_identifier", "user"])); // Kept with the record.
            output.Write(request.Body.Span);
        }

        using var valid = JsonDocument.Parse(output.WrittenMemory);
        return [.. output.WrittenSpan, (byte)'\n'];
    }
}
